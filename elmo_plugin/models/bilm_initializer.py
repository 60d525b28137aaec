"""Where a language model's weights come from when it does not begin anew."""

from pathlib import Path
from typing import NamedTuple, Optional

from allennlp.common import FromParams
from allennlp.common.checks import ConfigurationError

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.sidecar import FILE_NAME, load_sidecar
from elmo_plugin.bilm.softmax_from_words import KnownSoftmax
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.remote_files import present_path

VOCABULARY_NAME = "vocabulary.txt"


class Pretrained(NamedTuple):
    """
    bilm : the model.
    known : what it was trained to predict; `None` where nothing of that is left, as in released models.
    source : what error messages call it.
    """

    bilm: Bilm
    known: Optional[KnownSoftmax]
    source: str


class BilmInitializer(FromParams):
    """
    A pretrained biLM for `language_model` to begin with, given as one of

    - an archive of this project;
    - `options.json` and `weights.hdf5` of any ELMo. What `elmo-export` writes has the softmax and its vocabulary beside
      them; released models have neither.

    AllenNLP leaves a model's `initializer` out when it loads an archive, so an archive of the fine-tuned model needs
    none of these files.

    # Parameters

    archive_file : `str`, optional
        `model.tar.gz`, or the directory of a training.
    options_file, weight_file : `str`, optional
        In place of an archive.
    sidecar_file : `str`, optional (default = `sidecar.hdf5` beside the weights, if there)
        Holds the softmax.
    vocabulary_file : `str`, optional (default = `vocabulary.txt` beside the weights)
        The words of that softmax; needed where there is one.
    keep_softmax : `bool`, optional (default = `True`)
        `False` builds the whole softmax anew, from characters, as for a model that comes without.
    """

    def __init__(
        self,
        archive_file: Optional[str] = None,
        options_file: Optional[str] = None,
        weight_file: Optional[str] = None,
        sidecar_file: Optional[str] = None,
        vocabulary_file: Optional[str] = None,
        keep_softmax: bool = True,
    ) -> None:
        files = {"options_file": options_file, "weight_file": weight_file}
        extra = {"sidecar_file": sidecar_file, "vocabulary_file": vocabulary_file}
        missing = [name for name, value in files.items() if value is None]
        if archive_file is None and missing:
            raise ConfigurationError(
                "The `initializer` of a language model needs an `archive_file`, or `options_file` and `weight_file`; "
                f"without an archive, {' and '.join(missing)} must be given."
            )
        given = [name for name, value in {**files, **extra}.items() if value is not None]
        if archive_file is not None and given:
            raise ConfigurationError(
                f"The `initializer` of a language model has an `archive_file`, so {', '.join(given)} must not be given."
            )
        self.archive_file, self.options_file, self.weight_file = archive_file, options_file, weight_file
        self.sidecar_file, self.vocabulary_file, self.keep_softmax = sidecar_file, vocabulary_file, keep_softmax

    def load(self) -> Pretrained:
        """
        # Raises

        `ConfigurationError`, naming the file, where one is missing or does not hold what it should.
        """
        if self.archive_file is not None:
            return self._from_archive(self.archive_file)
        try:
            bilm = load_bilm(present_path(self.options_file), present_path(self.weight_file))
            known = self._known(bilm) if self.keep_softmax else None
        except (FileNotFoundError, ValueError) as error:
            raise ConfigurationError(f"The `initializer` of the language model: {error}") from error
        return Pretrained(bilm, known, self.weight_file)

    def _from_archive(self, archive_file: str) -> Pretrained:
        # Loading an archive builds a language model, whose module imports this one.
        from elmo_plugin.models.archived_bilm import load_archived_bilm

        archived = load_archived_bilm(archive_file, needs_steady=False)
        known = None
        if self.keep_softmax and archived.vocabulary is not None and archived.softmax is not None:
            known = KnownSoftmax(archived.vocabulary, archived.softmax)
        return Pretrained(archived.bilm, known, archive_file)

    def _known(self, bilm: Bilm) -> Optional[KnownSoftmax]:
        beside = Path(self.weight_file).parent
        sidecar_file, vocabulary_file = self.sidecar_file, self.vocabulary_file
        if sidecar_file is None and (beside / FILE_NAME).is_file():
            sidecar_file = str(beside / FILE_NAME)
        if sidecar_file is None:
            return None
        softmax = load_sidecar(present_path(sidecar_file), bilm.options).softmax
        if softmax is None:
            return None
        if vocabulary_file is None:
            vocabulary_file = str(beside / VOCABULARY_NAME)
        vocabulary = WordVocabulary.from_file(present_path(vocabulary_file))
        if len(vocabulary) != softmax.num_words:
            raise ValueError(
                f"{sidecar_file} holds a softmax over {softmax.num_words} words, but {vocabulary_file} has "
                f"{len(vocabulary)}. Give the `vocabulary_file` that was exported with it, or `keep_softmax: false`."
            )
        return KnownSoftmax(vocabulary, softmax)
