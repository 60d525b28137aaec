"""How a word becomes a vector: `char_cnn` (or `symbol_cnn`) of `options.json`; and how any value there is checked."""

from dataclasses import dataclass, field, replace
from typing import Any, Dict, List, Optional, Tuple

from elmo_plugin.bilm.symbols import SymbolTables

# A table of embeddings for characters has one row for each id of the training files (0-260); the row for the
# mask, id 0 of the shifted form, is put in front of it.
NUM_CHARACTER_IDS = 262
ACTIVATIONS = ("relu", "tanh")


def read_option(section: str, given: Dict[str, Any], key: str, expected: type, default: Any = ...) -> Any:
    """The value of `key`, checked; `default` where the key is missing, an error where there is none."""
    if key not in given or given[key] is None:
        if default is ...:
            raise ValueError(
                f"The options have no {section}{key!r}; it must be there, as a value of type {expected.__name__}. "
                "Add it to options.json (its full layout is in docs/formats.md)."
            )
        return default
    value = given[key]
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise ValueError(
            f"The option {section}{key!r} must be of type {expected.__name__}, but it is {value!r}. "
            "Correct it in options.json."
        )
    return value


def positive_option(section: str, given: Dict[str, Any], key: str, default: Any = ...) -> Any:
    value = read_option(section, given, key, int, default)
    if value is not None and value < 1:
        raise ValueError(f"The option {section}{key!r} must be at least 1, but it is {value}.")
    return value


def _check_filters(section: str, filters: List[Any]) -> None:
    for pair in filters or [filters]:
        is_pair = isinstance(pair, (list, tuple)) and len(pair) == 2
        if not is_pair or not all(type(number) is int and number > 0 for number in pair):
            raise ValueError(
                f"The option {section}'filters' must be a list of one or more [width, number of filters], both "
                f"positive, but it holds {pair!r}."
            )


@dataclass(frozen=True)
class CharCnnOptions:
    """
    The context-free half: characters of a word to its vector.

    # Parameters

    filters : pairs of (width in characters, number of filters), in the order of their outputs.
    embedding_dim : width of one character's embedding.
    max_characters : how many positions a word has; longer words are cut (see `characters.py`).
    num_highway : number of highway layers after the pooling; 0 for none.
    activation : `"relu"` or `"tanh"`, after the maximum over positions.
    symbols : for a model that reads characters and words from tables of its own; `None` for one that reads bytes.
    word_dim : of such a model, width of the vector of a whole word; 0 for none.
    """

    filters: Tuple[Tuple[int, int], ...]
    embedding_dim: int = 16
    max_characters: int = 50
    num_highway: int = 0
    activation: str = "relu"
    symbols: Optional[SymbolTables] = None
    word_dim: int = 0
    extra: Dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def num_filters(self) -> int:
        """Width of the pooled features, the sum over the filter counts."""
        return sum(count for _, count in self.filters)

    @property
    def num_ids(self) -> int:
        """Rows of the embedding of characters, the mask's included."""
        return NUM_CHARACTER_IDS if self.symbols is None else len(self.symbols.characters) + 1

    def has_projection(self, projection_dim: int) -> bool:
        """Whether the features are projected: not where they have the right width, unless the model reads symbols."""
        return self.symbols is not None or self.num_filters != projection_dim

    @classmethod
    def from_symbol_dict(cls, given: Dict[str, Any]) -> "CharCnnOptions":
        """The section `symbol_cnn`, which stands in place of `char_cnn` in a model that reads symbols."""
        section = "symbol_cnn → "
        tables: Dict[str, Tuple[str, ...]] = {}
        for key, default in (("characters", ...), ("words", [])):
            entries = read_option(section, given, key, list, default)
            if not all(isinstance(entry, str) for entry in entries):
                raise ValueError(f"The option {section}{key!r} must be a list of strings.")
            tables[key] = tuple(entries)
        max_symbols = positive_option(section, given, "max_symbols_per_token")
        try:
            symbols = SymbolTables(tables["characters"], tables["words"], max_symbols)
        except ValueError as error:
            raise ValueError(f"The options {section}: {error}") from error
        own = ("characters", "words", "max_symbols_per_token", "word_dim")
        bare = {key: value for key, value in given.items() if key not in own}
        options = cls.from_dict({**bare, "max_characters_per_token": symbols.max_characters}, section)
        widest = max(width for width, _ in options.filters)
        if max_symbols < widest:
            raise ValueError(
                f"The option {section}'max_symbols_per_token' is {max_symbols}, less than the widest filter, {widest}."
            )
        word_dim = read_option(section, given, "word_dim", int, 0)
        if word_dim < 0 or bool(word_dim) != bool(symbols.words):
            raise ValueError(
                f"The option {section}'word_dim' is {word_dim} and there are {len(symbols.words):,} 'words': expected "
                "both, or neither."
            )
        return replace(options, symbols=symbols, word_dim=word_dim)

    @classmethod
    def from_dict(cls, given: Dict[str, Any], section: str = "char_cnn → ") -> "CharCnnOptions":
        """The section of that name."""
        known = ("filters", "embedding", "max_characters_per_token", "n_highway", "activation", "n_characters")
        filters = read_option(section, given, "filters", list)
        _check_filters(section, filters)
        embedding = read_option(section, given, "embedding", dict)
        max_characters = positive_option(section, given, "max_characters_per_token", cls.max_characters)
        if max_characters < 3 or max_characters < max(width for width, _ in filters):
            raise ValueError(
                f"The option {section}'max_characters_per_token' is {max_characters}; it must be at least 3 (begin of "
                f"word, one byte, end of word) and no smaller than the widest filter, {max(w for w, _ in filters)}."
            )
        activation = read_option(section, given, "activation", str, "relu")
        if activation not in ACTIVATIONS:
            raise ValueError(
                f"The option {section}'activation' must be one of {ACTIVATIONS}, but it is {activation!r}."
            )
        num_characters = read_option(section, given, "n_characters", int, NUM_CHARACTER_IDS)
        if num_characters not in (NUM_CHARACTER_IDS - 1, NUM_CHARACTER_IDS):
            raise ValueError(
                f"The option {section}'n_characters' must be 261 (training files) or 262 (inference files), "
                f"but it is {num_characters}."
            )
        num_highway = read_option(section, given, "n_highway", int, 0)
        if num_highway < 0:
            raise ValueError(f"The option {section}'n_highway' must be 0 or more, but it is {num_highway}.")
        return cls(
            filters=tuple((int(width), int(count)) for width, count in filters),
            embedding_dim=positive_option(f"{section}embedding → ", embedding, "dim"),
            max_characters=max_characters,
            num_highway=num_highway,
            activation=activation,
            extra={key: value for key, value in given.items() if key not in known},
        )

    def to_dict(self) -> Dict[str, Any]:
        result = {
            "activation": self.activation,
            "embedding": {"dim": self.embedding_dim},
            "filters": [list(pair) for pair in self.filters],
            "n_highway": self.num_highway,
        }
        if self.symbols is not None:
            return {**result, **self.symbols.to_dict(), "word_dim": self.word_dim, **self.extra}
        return {
            **result,
            "max_characters_per_token": self.max_characters,
            "n_characters": NUM_CHARACTER_IDS,
            **self.extra,
        }
