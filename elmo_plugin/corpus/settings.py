"""The choices that decide the bytes of a prepared corpus."""

from dataclasses import asdict, dataclass
from typing import Any, Dict, Optional, Sequence

SEGMENTERS = ("spacy", "jieba", "pkuseg", "characters", "whitespace")
CHINESE_SEGMENTERS = ("jieba", "pkuseg")
PARAGRAPHS = ("blank", "line")
NORMAL_FORMS = ("NFC", "NFKC", "NFD", "NFKD")

# The first lines of every vocabulary (formats.md, section 6); their line numbers are their ids.
SENTENCE_BEGIN, SENTENCE_END, UNKNOWN = "<S>", "</S>", "<UNK>"
SPECIALS = (SENTENCE_BEGIN, SENTENCE_END, UNKNOWN)

# A number of 64 bits, which is what the random keys of sentences are made from.
LARGEST_SEED = 2**64 - 1

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
        `spacy` (the blank pipeline of the language), `jieba` or `pkuseg` (words of Chinese, through spaCy),
        `characters` (each ideograph a token, other runs whole) or `whitespace` (the text is already tokenised).
    presplit : `bool`
        Whether each line already is one sentence.
    paragraphs : `str`
        What separates paragraphs, which no sentence crosses: `blank` lines, the lines between them being joined
        (hard-wrapped text), or every `line`. Without effect where `presplit` is true.
    json_field : `str`, optional
        The input is JSON lines; each line's document is the string in this field.
    id_vocabulary : `str`, optional
        The input is id lines (`forms.id_texts`); the file whose line numbers are the ids. Such text is tokenised and
        split: `segmenter` must be `whitespace` and `presplit` true.
    normal_form : `str`, optional
        The Unicode normal form to bring text into; `None` leaves it as it is.
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
    json_field: Optional[str] = None
    id_vocabulary: Optional[str] = None
    normal_form: Optional[str] = None
    held_out: float = 0.01
    shards: Optional[int] = None
    min_count: int = 3
    max_size: Optional[int] = None
    max_characters: int = 50
    seed: int = 13

    def __post_init__(self) -> None:
        _check_choice("segmenter", self.segmenter, SEGMENTERS)
        _check_choice("paragraphs", self.paragraphs, PARAGRAPHS)
        if self.normal_form is not None:
            _check_choice("normal_form", self.normal_form, NORMAL_FORMS)
        if not 0.0 <= self.held_out < 1.0:
            raise ValueError(f"held_out: expected a fraction of at least 0 and below 1; got {self.held_out}.")
        _check_at_least("shards", self.shards, 1)
        _check_at_least("min_count", self.min_count, 1)
        _check_at_least("max_size", self.max_size, len(SPECIALS) + 1)
        _check_at_least("max_characters", self.max_characters, WORD_MARKS + 1)
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ValueError(f"seed: expected an integer from 0 to {LARGEST_SEED}; got {self.seed}.")
        self._check_combinations()

    def _check_combinations(self) -> None:
        if self.segmenter in CHINESE_SEGMENTERS and self.language != "zh":
            raise ValueError(
                f"segmenter: {self.segmenter} knows Chinese only, but language is '{self.language}'; give zh, or "
                "another segmenter."
            )
        if self.id_vocabulary is not None and self.json_field is not None:
            raise ValueError("id_vocabulary, json_field: the input is either id lines or JSON lines; give one of them.")
        if self.id_vocabulary is not None and not (self.segmenter == "whitespace" and self.presplit):
            raise ValueError(
                "id_vocabulary: id lines are tokenised and split already; give segmenter whitespace and presplit."
            )

    def to_dict(self) -> Dict[str, Any]:
        return asdict(self)

    def of_blocks(self) -> Dict[str, Any]:
        """Those that decide what is written for a block of the input, before blocks are put together."""
        of_text = ("language", "segmenter", "presplit", "paragraphs", "json_field", "id_vocabulary", "normal_form")
        return {name: getattr(self, name) for name in (*of_text, "seed")}


def default_segmenter(language: str) -> str:
    """Words need a dictionary where they are written without spaces; spaCy's rules find them elsewhere."""
    return "jieba" if language == "zh" else "spacy"


def _check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}; got '{value}'.")


def _check_at_least(name: str, value: Optional[int], least: int) -> None:
    if value is not None and value < least:
        raise ValueError(f"{name}: expected an integer of at least {least}; got {value}.")
