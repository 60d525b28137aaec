"""
Sentences in CoNLL columns: a word a line, its tags beside it, an empty line between sentences.
"""

import re
from dataclasses import dataclass, field
from typing import Iterator, List, Optional, Tuple

from allennlp.common.checks import ConfigurationError

from elmo_plugin.data.dataset_readers.lines import numbered_lines

DOCUMENT_START = "-DOCSTART-"
_SPACES_AND_TABS = re.compile("[ \t]+")


@dataclass
class TaggedSentence:
    """
    One sentence as it stands in a file.

    # Parameters

    file : the file's path.
    document : how many documents begin before the sentence in its file; 0 where no line says so.
    words, tags : as written; no tags where no column was named.
    lines : the number of each word's line.
    """

    file: str
    document: int
    words: List[str] = field(default_factory=list)
    tags: List[str] = field(default_factory=list)
    lines: List[int] = field(default_factory=list)

    def place(self, index: int) -> str:
        """File and line of a word, for error messages."""
        return f"{self.file}, line {self.lines[index]}"


@dataclass(frozen=True)
class ColumnFormat:
    """
    Where words and tags stand in a row.

    # Parameters

    word_column, tag_column : indices of columns, from 0, or from the end where negative; no tags are read where
        `tag_column` is `None`.
    separator : what stands between columns; `None` for any run of spaces and tabs. (Other white space is never a
        separator: a no-break space is part of its word.)
    comment_prefix : lines that begin with it are skipped; `None` where every line counts.
    document_prefix : lines that begin with it begin a document, as `-DOCSTART-` does; `None` for no others.

    # Raises

    `ConfigurationError` for a column that is no number, and a text that is empty.
    """

    word_column: int = 0
    tag_column: Optional[int] = -1
    separator: Optional[str] = None
    comment_prefix: Optional[str] = None
    document_prefix: Optional[str] = None

    def __post_init__(self) -> None:
        for name, column in (("word_column", self.word_column), ("tag_column", self.tag_column)):
            is_none = name == "tag_column" and column is None
            if not is_none and (not isinstance(column, int) or isinstance(column, bool)):
                raise ConfigurationError(
                    f"{name} must be the number of a column, from 0, or from the end where negative; it is {column!r}."
                )
        for name in ("separator", "comment_prefix", "document_prefix"):
            if getattr(self, name) == "":
                raise ConfigurationError(f"{name} must not be empty; leave it out or name the characters.")

    def sentences(self, path: str) -> Iterator[TaggedSentence]:
        """
        The sentences of a file, in order. A line of nothing but spaces and tabs ends a sentence, so does
        `-DOCSTART-`, with which a document begins.

        # Raises

        `ConfigurationError`, naming file and line, for rows of different widths, a column that is not there, an
        empty word or tag, a file without sentences, and whatever `numbered_lines` finds.
        """
        document, num_sentences, width = 0, 0, None
        sentence = TaggedSentence(path, document)
        for number, columns in self._rows(path):
            if not columns or DOCUMENT_START in columns:
                if sentence.words:
                    num_sentences += 1
                    yield sentence
                document += DOCUMENT_START in columns
                sentence = TaggedSentence(path, document)
                continue
            place = f"{path}, line {number}"
            width = self._first_width(columns, place) if width is None else width
            self._check_width(columns, width, place)
            self._append(sentence, columns, number)
        if num_sentences == 0:
            raise ConfigurationError(
                f"{path} holds no sentence. Expected a word and its tag on each line and an empty line between "
                f"sentences; check the path, or leave the file out of the pattern."
            )

    def _rows(self, path: str) -> Iterator[Tuple[int, List[str]]]:
        """Numbered rows, cut into columns; no columns where a line is empty, and once more after the last line."""
        number = 0
        for number, line in numbered_lines(path):
            stripped = line.strip(" \t")
            if self.document_prefix is not None and line.startswith(self.document_prefix):
                yield number, [DOCUMENT_START]
            elif self.comment_prefix is not None and line.startswith(self.comment_prefix):
                continue
            elif not stripped:
                yield number, []
            elif self.separator is None:
                yield number, _SPACES_AND_TABS.split(stripped)
            else:
                yield number, line.split(self.separator)
        yield number + 1, []

    def _first_width(self, columns: List[str], place: str) -> int:
        width = len(columns)
        for name, column in (("word_column", self.word_column), ("tag_column", self.tag_column)):
            if column is not None and not -width <= column < width:
                raise ConfigurationError(
                    f"{place}: there is no column {column}; the row {columns} has {width}. Set {name} to an index from "
                    f"{-width} to {width - 1}, or, where the row is cut in the wrong places, separator to what stands "
                    f"between columns."
                )
        if self.tag_column is not None and self.word_column % width == self.tag_column % width:
            raise ConfigurationError(
                f"{place}: word_column {self.word_column} and tag_column {self.tag_column} are the same column of the "
                f"row {columns}. Name two, or set separator to what stands between columns; for words without tags set "
                f"tag_column to null."
            )
        return width

    def _check_width(self, columns: List[str], width: int, place: str) -> None:
        if len(columns) != width:
            raise ConfigurationError(
                f"{place}: expected {width} columns as in the file's first row, found {len(columns)}: {columns}. "
                f"Complete the row; or, if words hold spaces, set separator to '\\t'; or, if it is a comment, set "
                f"comment_prefix."
            )

    def _append(self, sentence: TaggedSentence, columns: List[str], number: int) -> None:
        word = columns[self.word_column]
        tag = None if self.tag_column is None else columns[self.tag_column]
        if not word.strip(" \t") or (tag is not None and not tag.strip(" \t")):
            raise ConfigurationError(
                f"{sentence.file}, line {number}: expected a word and a tag, found {columns}, where one is empty. "
                f"Complete the row; or leave separator out, where any run of spaces and tabs separates columns."
            )
        sentence.words.append(word)
        sentence.lines.append(number)
        if tag is not None:
            sentence.tags.append(tag)
