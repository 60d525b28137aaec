"""
The tagger: embedder, encoder, conditional random field.
"""

from typing import Any, Dict, List, Optional

import torch
from allennlp.common import Lazy
from allennlp.common.checks import ConfigurationError
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import FeedForward, Seq2SeqEncoder, TextFieldEmbedder
from allennlp.modules.conditional_random_field import ConditionalRandomField
from allennlp.nn import InitializerApplicator
from allennlp.nn.util import get_text_field_mask
from allennlp.training.metrics import CategoricalAccuracy

from elmo_plugin.data.tag_schemes import allowed_transitions, check_scheme, span_types, tags_to_spans
from elmo_plugin.modules.mix_metrics import mix_metrics
from elmo_plugin.training.metrics.span_f1 import SpanF1


@Model.register("elmo_tagger")
class ElmoTagger(Model):
    """
    Tags each word of a sentence with a tag of a span scheme:

        logits = W feedforward(encoder(embedder(words))) + b
        loss   = - mean over sentences of log p(tags | logits),   p by a linear-chain conditional random field
        tags   = the most probable ones among those that the scheme allows

    The mean over sentences, where AllenNLP's `crf_tagger` sums, keeps the learning rate from depending on the batch
    size. Sizes that follow from other parts are left out of the configuration: the encoder's input is as wide as the
    embedder's output, the feedforward's as the encoder's. Where they are given they are checked.

    Metrics: `accuracy` of words; `precision`, `recall` and `f1` of spans, and the same for each type (`SpanF1`);
    and, at the end of each pass over the data, which types were taken for which (`_confusion/GOLD/PREDICTED`, spans
    that were missed and spurious ones included), and what any module below tells by a method `mix_metrics() ->
    Dict[str, float]`, such as the learned weights of ELMo's layers.

    Registered as a `Model` with name "elmo_tagger".

    ```jsonnet
    {
        "type": "elmo_tagger",
        "text_field_embedder": {
            "token_embedders": {"words": {"type": "embedding", "embedding_dim": 32}}
        },
        "encoder": {"type": "lstm", "hidden_size": 32, "bidirectional": true},
        "dropout": 0.5
    }
    ```

    # Parameters

    vocab : `Vocabulary`, required
    text_field_embedder : `TextFieldEmbedder`, required
    encoder : `Lazy[Seq2SeqEncoder]`, required
        Its `input_size` or `input_dim` may be left out. In Python: `Lazy(LstmSeq2SeqEncoder, hidden_size=32)`.
    feedforward : `Lazy[FeedForward]`, optional (default = `None`)
        Between encoder and logits; its `input_dim` may be left out.
    tag_scheme : `str`, optional (default = `"BIO"`)
        The scheme of the tags, the same as the reader's.
    dropout : `float`, optional (default = `0.0`)
        On the embedder's and the encoder's outputs.
    names : `List[str]`, optional (default = `None`)
        For spans that cover the text, as words of lexical analysis do: the types of those that are names. Then `f1`
        is of words with their classes, and `segmentation_f1` and `name_f1` are told too.
    decode_in_training : `bool`, optional (default = `True`)
        Whether to tag while training, for training metrics. With some hundred tags that takes half of the time.
    label_namespace : `str`, optional (default = `"labels"`)
    initializer : `InitializerApplicator`, optional

    # Raises

    `ConfigurationError` where sizes disagree, the vocabulary has no tags or tags of another scheme, or a sentence has
    no word.
    """

    default_predictor = "elmo_tagger"

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        encoder: Lazy[Seq2SeqEncoder],
        feedforward: Optional[Lazy[FeedForward]] = None,
        tag_scheme: str = "BIO",
        dropout: float = 0.0,
        names: Optional[List[str]] = None,
        decode_in_training: bool = True,
        label_namespace: str = "labels",
        initializer: InitializerApplicator = InitializerApplicator(),
        **kwargs,
    ) -> None:
        super().__init__(vocab, **kwargs)
        self.tag_scheme = tag_scheme
        self._tags = vocab.get_index_to_token_vocabulary(label_namespace)
        types = _types_of(self._tags, tag_scheme, label_namespace)

        self.text_field_embedder = text_field_embedder
        width = text_field_embedder.get_output_dim()
        # Encoders call the same size by two names; each takes the one that it knows.
        self.encoder = encoder.construct(input_size=width, input_dim=width)
        _check_width("encoder", self.encoder.get_input_dim(), "text_field_embedder", width)
        width = self.encoder.get_output_dim()
        self.feedforward = None
        if feedforward is not None:
            self.feedforward = feedforward.construct(input_dim=width)
            _check_width("feedforward", self.feedforward.get_input_dim(), "encoder", width)
            width = self.feedforward.get_output_dim()
        self.dropout = torch.nn.Dropout(dropout)
        self.tag_projection = torch.nn.Linear(width, len(self._tags))
        self.crf = ConditionalRandomField(len(self._tags), allowed_transitions(self._tags, tag_scheme))

        self._accuracy = CategoricalAccuracy()
        self._span_f1 = SpanF1(types, names)
        self._decode_in_training = decode_in_training
        initializer(self)

    def forward(  # type: ignore
        self,
        tokens: TextFieldTensors,
        tags: Optional[torch.Tensor] = None,
        metadata: Optional[List[Dict[str, Any]]] = None,
    ) -> Dict[str, Any]:
        """
        # Parameters

        tokens : the words.
        tags : gold tag ids. Shape: (batch_size, num_tokens)
        metadata : for each sentence a dictionary with its `words`.

        # Returns

        `logits`, shape (batch_size, num_tokens, number of tags); `tags`, for each sentence the list of its decoded
        tag ids, padding left out (not while training without `decode_in_training`); `words`, where there is metadata;
        `loss`, where there are gold tags.
        """
        # Shape: (batch_size, num_tokens)
        mask = get_text_field_mask(tokens)
        _check_that_all_have_words(mask)
        embedded = self.dropout(self.text_field_embedder(tokens))
        encoded = self.dropout(self.encoder(embedded, mask))
        if self.feedforward is not None:
            encoded = self.feedforward(encoded)
        logits = self.tag_projection(encoded)
        output: Dict[str, Any] = {"logits": logits}
        if metadata is not None:
            output["words"] = [sentence["words"] for sentence in metadata]
        if tags is not None:
            output["loss"] = -self.crf(logits, tags, mask) / logits.size(0)
        if self._decode_in_training or not self.training:
            output["tags"] = [path for path, _ in self.crf.viterbi_tags(logits, mask)]
            if tags is not None:
                self._update_metrics(output["tags"], tags, mask)
        return output

    def _update_metrics(self, paths: List[List[int]], tags: torch.Tensor, mask: torch.Tensor) -> None:
        gold_paths = [row[:length] for row, length in zip(tags.tolist(), mask.sum(dim=-1).tolist())]
        self._span_f1(*([self._spans(path) for path in side] for side in (paths, gold_paths)))
        predicted = torch.tensor([tag for path in paths for tag in path], device=tags.device)
        # Shape: (number of unmasked words, number of tags)
        one_hot = torch.nn.functional.one_hot(predicted, len(self._tags)).float()
        self._accuracy(one_hot, tags[mask])

    def _spans(self, path: List[int]):
        return tags_to_spans([self._tags[tag] for tag in path], self.tag_scheme)

    def make_output_human_readable(self, output_dict: Dict[str, Any]) -> Dict[str, Any]:
        """Tag ids to tags."""
        output_dict["tags"] = [[self._tags[tag] for tag in path] for path in output_dict["tags"]]
        return output_dict

    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        """The metrics so far; with `reset`, which a trainer asks for at the end of a pass, confusion and mix too."""
        if self.training and not self._decode_in_training:
            return mix_metrics(self) if reset else {}
        at_the_end = {**self._span_f1.confusion(), **mix_metrics(self)} if reset else {}
        return {"accuracy": self._accuracy.get_metric(reset), **self._span_f1.get_metric(reset), **at_the_end}


def _types_of(tags: Dict[int, str], tag_scheme: str, label_namespace: str) -> List[str]:
    """The span types of the vocabulary's tags."""
    if not tags:
        raise ConfigurationError(
            f"The vocabulary has no tags in the namespace {label_namespace!r}. Train on a file with tags, or set "
            f"label_namespace to where they are."
        )
    try:
        return span_types(tags.values(), check_scheme(tag_scheme))
    except ValueError as error:
        raise ConfigurationError(
            f"tag_scheme, with the tags of the vocabulary's namespace {label_namespace!r}: {error}. Give the model and "
            f"the dataset reader the same tag_scheme."
        ) from error


def _check_that_all_have_words(mask: torch.Tensor) -> None:
    empty = torch.nonzero(~mask.any(dim=1)).flatten().tolist()
    if empty:
        raise ConfigurationError(
            f"Sentence {empty[0] + 1} of a batch of {mask.size(0)} has no word, so there is nothing to tag in it. "
            "Leave such sentences out, as the readers and predictors of elmo_plugin do."
        )


def _check_width(name: str, found: int, source: str, expected: int) -> None:
    if found != expected:
        raise ConfigurationError(
            f"The {name}'s input is {found} wide, but the {source} before it gives vectors of width {expected}. Leave "
            f"the {name}'s input_size or input_dim out, and it is filled in."
        )
