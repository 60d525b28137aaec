"""A tagger of hand-set weights, of which each tag is known beforehand."""

from typing import Dict, Sequence

import torch
from allennlp.common import Params
from allennlp.data import Vocabulary
from allennlp.models import Model


def tagger_of(known: Dict[str, str], otherwise: str, tags: Sequence[str], tag_scheme: str = "BIO") -> Model:
    """
    A model `elmo_tagger` without context.

    # Parameters

    known : words with their tags.
    otherwise : the tag of every other word.
    tags : all that there are.
    tag_scheme : of the tags.
    """
    vocabulary = Vocabulary(
        non_padded_namespaces=["*labels"], tokens_to_add={"tokens": list(known), "labels": list(tags)}
    )
    settings = {
        "type": "elmo_tagger",
        "tag_scheme": tag_scheme,
        "text_field_embedder": {"token_embedders": {"tokens": {"type": "embedding", "embedding_dim": len(tags)}}},
        "encoder": "pass_through",
    }
    model = Model.from_params(Params(settings), vocab=vocabulary)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.zero_()
        model.tag_projection.weight.copy_(torch.eye(len(tags)))
        for index, word in vocabulary.get_index_to_token_vocabulary("tokens").items():
            tag = vocabulary.get_token_index(known.get(word, otherwise), "labels")
            model.text_field_embedder.token_embedder_tokens.weight[index, tag] = 10.0
    return model
