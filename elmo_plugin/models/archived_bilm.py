"""The biLM in an archive of AllenNLP: a language model's own, or the one that a task's model embeds words with."""

import glob
from itertools import islice
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import Archive, load_archive

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.state import BilmState
from elmo_plugin.bilm.steady_state import RUNNING_TEXT, compute_steady_state
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.corpus.opening import find_split
from elmo_plugin.data.dataset_readers.sentences import ElmoSentencesReader
from elmo_plugin.data.vocabulary import word_vocabulary
from elmo_plugin.models.language_model import BidirectionalLanguageModel
from elmo_plugin.modules.elmo import ElmoEmbedder
from elmo_plugin.quiet import quiet

# Sentences that the steady state is computed from.
NUM_SENTENCES = 256


class ArchivedBilm(NamedTuple):
    """
    bilm : the model, on the CPU.
    steady : where the archive has one, or one was asked for and can be computed.
    vocabulary, softmax : a language model's; no softmax where it is blank, as in models imported without one.
    steady_source : what `steady` was computed from just now; `None` where the archive had it, or there is none.
    """

    bilm: Bilm
    steady: Optional[BilmState]
    vocabulary: Optional[WordVocabulary]
    softmax: Optional[Softmax]
    steady_source: Optional[str] = None


def load_archived_bilm(archive_file: str, needs_steady: bool = True) -> ArchivedBilm:
    """
    # Parameters

    archive_file : `str`
        `model.tar.gz`, or the directory of a training.
    needs_steady : `bool`
        Compute a language model's steady state, as `elmo-export` does.

    # Raises

    `ConfigurationError` where it holds no biLM or several.
    """
    archive = open_archive(archive_file)
    if isinstance(archive.model, BidirectionalLanguageModel):
        bilm = archive.model.language_model.bilm
        steady, source = steady_state_from_text(archive, bilm, None) if needs_steady else (None, None)
        softmax = archive.model.language_model.softmax
        return ArchivedBilm(
            bilm,
            steady,
            word_vocabulary(archive.model.vocab),
            None if softmax.is_blank() else softmax,
            None if steady is None else source,
        )
    embedders = [module for module in archive.model.modules() if isinstance(module, ElmoEmbedder)]
    if len(embedders) != 1:
        raise ConfigurationError(
            f"{archive_file} holds a {type(archive.model).__name__} with {len(embedders)} biLMs; expected a language "
            f"model as training_configs/bilm.jsonnet trains it, or a model with one embedder \"elmo\". Give the biLM's "
            f"files as --options-file and --weight-file."
        )
    return ArchivedBilm(embedders[0].bilm, embedders[0].steady_state(), None, None)


def open_archive(archive_file: str) -> Archive:
    """
    What AllenNLP makes of an archive, without its lines on each setting and file.

    # Raises

    `ConfigurationError` where there is no archive, or not all of it.
    """
    try:
        with quiet("allennlp", "elmo_plugin.compat"):
            return load_archive(archive_file)
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"{archive_file} can't be opened ({error}). Give the archive that a training ends with, model.tar.gz, or "
            "the folder of that training."
        ) from error


def steady_state_from_text(archive: Archive, bilm: Bilm, text: Optional[str]) -> Tuple[Optional[BilmState], str]:
    """
    A language model's steady state, and what it was computed from.

    # Parameters

    archive : `Archive`
    bilm : `Bilm`
        Its biLM.
    text : `str`, optional
        Tokenised text, or a part of a prepared corpus; without it, the text that the model was trained with, read as it
        was then, where that is still there.

    # Raises

    `ConfigurationError` or `ValueError` where there is no such text.
    """
    if bilm.options.char_cnn is None:
        return None, "nothing: this biLM reads word ids"
    sentences, source = _running_text(archive, text)
    return compute_steady_state(bilm, sentences), source


def _running_text(archive: Archive, text: Optional[str]) -> Tuple[List[List[str]], str]:
    if text is not None:
        return _first_sentences(ElmoSentencesReader(), text), text
    for key in ("validation_data_path", "train_data_path"):
        path = archive.config.get(key)
        try:
            if path is not None:
                return _first_sentences(archive.validation_dataset_reader, path), path
        except (ConfigurationError, ValueError):
            continue  # The text need not be where the archive is.
    return RUNNING_TEXT, "a few sentences of English (the text it was trained with is not here; name some with --text)"


def _first_sentences(reader: ElmoSentencesReader, path: str) -> List[List[str]]:
    """The text may be a prepared corpus, whose shards are texts too."""
    split = find_split(path)
    if split is not None:
        corpus, name = split
        path = str(Path(glob.escape(str(corpus.directory))) / name / "*.txt")
    return list(islice(reader.sentences(path), NUM_SENTENCES))
