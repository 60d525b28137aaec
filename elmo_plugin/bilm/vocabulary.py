"""
The words that the softmax predicts, as a file of one word a line.

The first three lines are `<S>`, `</S>` and `<UNK>`; the others follow by descending count, for the log-uniform
sampler takes a word's rank for its frequency. A word's id is its line, counted from 0. A line `!!!MAXTERMID`,
which old files hold, is no word and has no id.
"""

import gzip
import zlib
from pathlib import Path
from typing import Dict, Iterable, List, Sequence, Union

import numpy

from elmo_plugin.bilm.characters import BEGIN_SENTENCE, END_SENTENCE
from elmo_plugin.bilm.whole_file import whole_file

UNKNOWN = "<UNK>"
SPECIAL_WORDS = (BEGIN_SENTENCE, END_SENTENCE, UNKNOWN)
NOT_A_WORD = "!!!MAXTERMID"


class WordVocabulary:
    """
    Words and their ids.

    # Parameters

    words : every word, in the order of its id, the special words in front.
    source : what error messages call this vocabulary; the path of its file, say.

    # Raises

    `ValueError` where the special words are not in front, or a word stands twice.
    """

    begin_sentence_id = 0
    end_sentence_id = 1
    unknown_id = 2

    def __init__(self, words: Sequence[str], source: str = "the vocabulary") -> None:
        self.words: List[str] = list(words)
        self.source = source
        self.word_to_id: Dict[str, int] = {word: index for index, word in enumerate(self.words)}
        if tuple(self.words[:3]) != SPECIAL_WORDS:
            raise ValueError(
                f"{source} must begin with the lines {', '.join(SPECIAL_WORDS)}, but it begins with "
                f"{', '.join(map(repr, self.words[:3])) or 'nothing'}. For a new training, put the three lines in "
                "front and leave the others in descending order of their counts, or make a new file with "
                "elmo-prepare. (The words of a softmax that is trained already must stay as they are; import it "
                "--without-softmax.)"
            )
        if len(self.word_to_id) != len(self.words):
            seen: Dict[str, int] = {}
            for index, word in enumerate(self.words):
                if word in seen:
                    raise ValueError(
                        f"{source} holds the word {word!r} twice, as ids {seen[word]} and {index}. Every word must "
                        "stand once; remove one of the lines."
                    )
                seen[word] = index

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, words: Iterable[str]) -> numpy.ndarray:
        """Word ids, `<UNK>`'s for words that are not here. Shape: (num_tokens,), `int64`."""
        get, unknown = self.word_to_id.get, self.unknown_id
        return numpy.array([get(word, unknown) for word in words], dtype=numpy.int64)

    @classmethod
    def from_file(cls, path: Union[str, Path]) -> "WordVocabulary":
        """
        The vocabulary in a file, which may be compressed (`.gz`).

        # Raises

        `FileNotFoundError` where there is none; `ValueError`, naming file and line, where it is no vocabulary.
        """
        try:
            content = Path(path).read_bytes()
            content = gzip.decompress(content) if str(path).endswith(".gz") else content
        except (FileNotFoundError, IsADirectoryError):
            raise FileNotFoundError(
                f"There is no vocabulary file {path}. Give a file of one word a line, or make one with elmo-prepare."
            ) from None
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is no whole gzip file ({error}). Get it again.") from error
        lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
        if lines and not lines[-1]:
            lines.pop()
        words = []
        for number, line in enumerate(lines, 1):
            try:
                word = line.rstrip(b"\r").decode("utf-8")
            except UnicodeDecodeError as error:
                raise ValueError(f"{path}, line {number}: not UTF-8 ({error}). Save the file as UTF-8.") from error
            if word == NOT_A_WORD:
                continue
            if not word or word.split() != [word]:
                raise ValueError(
                    f"{path}, line {number}: expected one word without white space, but found {word!r}. A vocabulary "
                    "file holds words only, no counts and no empty lines."
                )
            words.append(word)
        return cls(words, source=str(path))

    def to_file(self, path: Union[str, Path]) -> None:
        """Writes the file, whole or not at all."""
        with whole_file(path) as partial, open(partial, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(f"{word}\n" for word in self.words)
