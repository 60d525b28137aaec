"""Archives of language models that were not trained here."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Dict, Optional

import torch
from allennlp.common import Params
from allennlp.common.meta import META_NAME, Meta
from allennlp.models.archival import CONFIG_NAME, archive_model

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.vocabulary import SPECIAL_WORDS, UNKNOWN, WordVocabulary
from elmo_plugin.data.vocabulary import NAMESPACE, ElmoVocabulary
from elmo_plugin.models.language_model import BidirectionalLanguageModel

_WEIGHTS = "weights.th"


def write_archive(path: Path, bilm: Bilm, vocabulary: Optional[WordVocabulary], softmax: Optional[Softmax]) -> None:
    """
    Writes a language model's `model.tar.gz`, whole or not at all.

    # Parameters

    path : `Path`
        Replaced, where it exists.
    bilm : `Bilm`
    vocabulary : `WordVocabulary`, optional
        `None` for the special words alone.
    softmax : `Softmax`, optional
        Over `vocabulary`. `None` for one that is blank: all zeros, under which every word is as likely as any other.
    """
    words = WordVocabulary(SPECIAL_WORDS) if vocabulary is None else vocabulary
    model = BidirectionalLanguageModel(_allennlp_vocabulary(words), bilm.options.to_dict())
    model.language_model.bilm.load_state_dict(bilm.state_dict())
    if softmax is None:
        softmax = model.language_model.softmax
        torch.nn.init.zeros_(softmax.weight)
    model.language_model.softmax.load_state_dict(softmax.state_dict())
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as name:
        folder = Path(name)
        model.vocab.save_to_files(str(folder / "vocabulary"))
        Params(_configuration(model.options)).to_file(str(folder / CONFIG_NAME))
        Meta.new().to_file(folder / META_NAME)
        torch.save(model.state_dict(), folder / _WEIGHTS)
        os.replace(archive_model(name, _WEIGHTS, str(folder / "model.tar.gz")), path)


def _allennlp_vocabulary(words: WordVocabulary) -> ElmoVocabulary:
    vocabulary = ElmoVocabulary(non_padded_namespaces=[NAMESPACE], oov_token=UNKNOWN)
    for word in words.words:
        vocabulary.add_token_to_namespace(word, NAMESPACE)
    return vocabulary


def _configuration(options: BilmOptions) -> Dict[str, Any]:
    """What `evaluate` needs beside the model."""
    width = options.max_characters
    reader: Dict[str, Any] = {"type": "elmo_sentences"}
    if width is not None:
        reader["token_indexers"] = {"elmo": {"type": "elmo_character_ids", "max_characters": width}}
    return {
        "dataset_reader": reader,
        "vocabulary": {"type": "elmo_word_file"},
        "model": {"type": "language_model", "options": options.to_dict()},
        "data_loader": {"type": "elmo_stream", "max_characters": width},
    }
