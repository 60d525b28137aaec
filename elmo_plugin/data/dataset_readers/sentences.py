"""Sentences without labels: plain text, one tokenised sentence a line, or the words of tagged files."""

import logging
from collections import Counter
from itertools import chain
from typing import Dict, Iterable, Iterator, List, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Instance, Token, TokenIndexer
from allennlp.data.fields import TextField

from elmo_plugin.bilm.characters import BEGIN_SENTENCE, END_SENTENCE
from elmo_plugin.data.dataset_readers.columns import ColumnFormat
from elmo_plugin.data.dataset_readers.lines import matching_files, numbered_lines
from elmo_plugin.data.token_indexers.character_ids import ElmoCharacterIdsIndexer

logger = logging.getLogger(__name__)


@DatasetReader.register("elmo_sentences")
class ElmoSentencesReader(DatasetReader):
    """
    One sentence a line, its words separated by white space, without `<S>` and `</S>`. Blank lines are no sentences;
    they are counted and logged, and so are words that are literally `<S>` or `</S>`, which the model can't tell from
    its sentence marks.

    Registered as a `DatasetReader` with name "elmo_sentences".

    ```jsonnet
    { "type": "elmo_sentences", "token_indexers": { "elmo": { "type": "elmo_character_ids" } } }
    ```

    # Parameters

    token_indexers : `Dict[str, TokenIndexer]`, optional (default = `{"elmo": elmo_character_ids}`)
        For the instances that AllenNLP's ordinary loaders ask for. `elmo_stream` takes the sentences as they are.
    word_column : `int`, optional
        The files are columns instead, as `elmo_tagging` reads them: a word a line, in this column, an empty line behind
        each sentence. All other columns are left alone. For adapting a biLM to the text of a task, labels ignored.
    separator, comment_prefix : `str`, optional
        Of columns; as in `elmo_tagging`.
    """

    def __init__(
        self,
        token_indexers: Optional[Dict[str, TokenIndexer]] = None,
        word_column: Optional[int] = None,
        separator: Optional[str] = None,
        comment_prefix: Optional[str] = None,
        **kwargs,
    ) -> None:
        super().__init__(manual_distributed_sharding=True, manual_multiprocess_sharding=True, **kwargs)
        if word_column is None and (separator is not None or comment_prefix is not None):
            raise ConfigurationError(
                "The reader elmo_sentences: separator and comment_prefix are of files of columns. Set word_column too, "
                "or leave them out."
            )
        self._columns = None
        if word_column is not None:
            self._columns = ColumnFormat(word_column, None, separator, comment_prefix)
        self._token_indexers = {"elmo": ElmoCharacterIdsIndexer()} if token_indexers is None else token_indexers

    def sentences(self, file_path: str) -> Iterator[List[str]]:
        """
        The sentences of all files that a path or glob names.

        # Raises

        `ConfigurationError` where there is no such file, no sentence in all of them, or a line that is no text.
        """
        yield from chain.from_iterable(self.sentences_by_file(file_path))

    def sentences_by_file(self, file_path: str) -> Iterator[Iterator[List[str]]]:
        """The same, file by file; each is to be read before the next."""
        counts: Dict[str, int] = Counter()
        for path in matching_files(str(file_path)):
            yield self._sentences_of(path, counts)
        if not counts["sentences"]:
            raise ConfigurationError(
                f"{file_path} holds no sentences ({counts['blank']} blank lines). Expected one sentence a line, words "
                f"separated by spaces."
            )
        if counts["blank"]:
            logger.info("%s: skipped %d blank lines", file_path, counts["blank"])
        if counts["marks"]:
            logger.warning(
                "%s: %d words are literally %s or %s; the model reads them as boundaries of sentences, which it sets "
                "itself. Remove them from the text if that is not meant.",
                file_path,
                counts["marks"],
                BEGIN_SENTENCE,
                END_SENTENCE,
            )

    def _sentences_of(self, path: str, counts: Dict[str, int]) -> Iterator[List[str]]:
        for words in self._lines_of(path):
            if words:
                counts["marks"] += words.count(BEGIN_SENTENCE) + words.count(END_SENTENCE)
                counts["sentences"] += 1
                yield words
            else:
                counts["blank"] += 1

    def _lines_of(self, path: str) -> Iterator[List[str]]:
        if self._columns is None:
            return (line.split() for _, line in numbered_lines(path))
        return (sentence.words for sentence in self._columns.sentences(path))

    def _read(self, file_path: str) -> Iterable[Instance]:
        for words in self.shard_iterable(self.sentences(file_path)):
            yield self.text_to_instance(words)

    def text_to_instance(self, words: List[str]) -> Instance:  # type: ignore
        return Instance({"source": TextField([Token(word) for word in words])})

    def apply_token_indexers(self, instance: Instance) -> None:
        instance["source"].token_indexers = self._token_indexers
