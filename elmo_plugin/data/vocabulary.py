"""A vocabulary file of a biLM as AllenNLP's vocabulary."""

from typing import Optional

from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from elmo_plugin.bilm.vocabulary import UNKNOWN, WordVocabulary

NAMESPACE = "elmo_words"


@Vocabulary.register("elmo_word_file", constructor="from_word_file")
class ElmoVocabulary(Vocabulary):
    """
    The words of a file, one a line, with their line numbers as ids: `<S>`, `</S>` and `<UNK>`, then by descending
    count. They stand in the namespace `elmo_words`, without padding.

    Registered as a `Vocabulary` with name "elmo_word_file".

    ```jsonnet
    { "type": "elmo_word_file", "file": "fixtures/corpus/vocabulary.txt" }
    ```
    """

    @classmethod
    def from_word_file(cls, file: str) -> "ElmoVocabulary":
        """
        # Parameters

        file : `str`
            Path of the vocabulary file.

        # Raises

        `ConfigurationError` where there is no file or it is no vocabulary, naming the line.
        """
        try:
            words = WordVocabulary.from_file(file).words
        except (FileNotFoundError, ValueError) as error:
            raise ConfigurationError(str(error)) from error
        vocabulary = cls(non_padded_namespaces=[NAMESPACE], oov_token=UNKNOWN)
        for word in words:
            vocabulary.add_token_to_namespace(word, NAMESPACE)
        return vocabulary

    @classmethod
    def from_files(
        cls, directory: str, padding_token: Optional[str] = None, oov_token: Optional[str] = None
    ) -> "ElmoVocabulary":
        """As `Vocabulary.from_files`; unknown words are always `<UNK>`."""
        return super().from_files(directory, padding_token, UNKNOWN)


def word_vocabulary(vocab: Vocabulary) -> WordVocabulary:
    """
    The biLM's words in any AllenNLP vocabulary.

    # Raises

    `ConfigurationError` where it has no namespace `elmo_words`.
    """
    if NAMESPACE not in vocab.get_namespaces():
        raise ConfigurationError(
            f"The vocabulary has no words in the namespace {NAMESPACE!r}. A language model takes its words from a "
            f'file: "vocabulary": {{"type": "elmo_word_file", "file": "…/vocabulary.txt"}}.'
        )
    words = vocab.get_index_to_token_vocabulary(NAMESPACE)
    # In its own files AllenNLP writes a line break as a word that text about AllenNLP holds; no word has a line break.
    ordered = [words[index].replace("\n", "@@NEWLINE@@") for index in range(len(words))]
    try:
        return WordVocabulary(ordered, source=f"the namespace {NAMESPACE!r}")
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
