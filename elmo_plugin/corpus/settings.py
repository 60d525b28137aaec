"""The choices that decide the bytes of a prepared corpus."""

from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional

SEGMENTERS = ("spacy", "characters", "whitespace")
PARAGRAPHS = ("blank", "line")

# The first lines of every vocabulary (formats.md, section 6); their line numbers are their ids.
SENTENCE_BEGIN, SENTENCE_END, UNKNOWN = "<S>", "</S>", "<UNK>"
SPECIALS = (SENTENCE_BEGIN, SENTENCE_END, UNKNOWN)

# Of a word's `max_characters` positions, two are taken by the begin-word and end-word marks.
WORD_MARKS = 2


@dataclass(frozen=True)
class Settings:
    """
    Everything, besides the input, that a prepared corpus depends on.

    # Parameters

    language : `str`
        A language code that spaCy knows (`spacy.blank(language)`). `zh` splits sentences by `segmenters.split_chinese`.
    segmenter : `str`
        `spacy` (the blank pipeline of the language), `characters` (each ideograph a token, other runs whole)
        or `whitespace` (the text is already tokenised).
    presplit : `bool`
        Whether each line already is one sentence.
    paragraphs : `str`
        What separates paragraphs, which no sentence crosses: `blank` lines, the lines between them being joined
        (hard-wrapped text), or every `line`. Without effect where `presplit` is true.
    held_out : `float`
        The fraction of the sentences kept out of training, in [0, 1). If it is above 0 at least one is held out.
    shards : `int`, optional
        The number of training shards; as many as hold about `shards.TOKENS_PER_SHARD` tokens each if `None`.
    min_count, max_size : `int`
        Words seen less often in the training sentences are not in the vocabulary; nor are those after the
        `max_size` most frequent, the three special tokens included. `max_size` may be `None`: no limit.
    max_characters : `int`
        The character width of the model, for counting the tokens that it will cut.
    seed : `int`
        Decides which sentences are held out, and the order of the others.
    """

    language: str = "en"
    segmenter: str = "spacy"
    presplit: bool = False
    paragraphs: str = "blank"
    held_out: float = 0.01
    shards: Optional[int] = None
    min_count: int = 3
    max_size: Optional[int] = None
    max_characters: int = 50
    seed: int = 13

    def __post_init__(self) -> None:
        if self.segmenter not in SEGMENTERS:
            raise ValueError(f"segmenter: expected one of {', '.join(SEGMENTERS)}; got '{self.segmenter}'.")
        if self.paragraphs not in PARAGRAPHS:
            raise ValueError(f"paragraphs: expected one of {', '.join(PARAGRAPHS)}; got '{self.paragraphs}'.")
        if not 0.0 <= self.held_out < 1.0:
            raise ValueError(f"held_out: expected a fraction of at least 0 and below 1; got {self.held_out}.")
        _check_at_least("shards", self.shards, 1)
        _check_at_least("min_count", self.min_count, 1)
        _check_at_least("max_size", self.max_size, len(SPECIALS) + 1)
        _check_at_least("max_characters", self.max_characters, WORD_MARKS + 1)
        _check_at_least("seed", self.seed, 0)

    def to_dict(self) -> Dict[str, Any]:
        return asdict(self)


def _check_at_least(name: str, value: Optional[int], least: int) -> None:
    if value is not None and value < least:
        raise ValueError(f"{name}: expected an integer of at least {least}; got {value}.")
