"""
What shape a bidirectional language model has: the contents of `options.json`, as values.

The same dataclasses serve the file, the training configuration and the archive. Every number that follows
from another one (widths, counts of representations) is a property here and is typed nowhere else.
"""

import json
import logging
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple, Union

from elmo_plugin.bilm.symbols import SymbolTables

logger = logging.getLogger(__name__)

# A table of embeddings for characters has one row for each id of the training files (0-260); the row for the
# mask, id 0 of the shifted form, is put in front of it.
NUM_CHARACTER_IDS = 262
ACTIVATIONS = ("relu", "tanh")
_KNOWN = ("bidirectional", "char_cnn", "symbol_cnn", "lstm", "n_tokens_vocab")


def _read(section: str, given: Dict[str, Any], key: str, expected: type, default: Any = ...) -> Any:
    """The value of `key`, checked; `default` where the key is missing, an error where there is none."""
    if key not in given or given[key] is None:
        if default is ...:
            raise ValueError(
                f"The options have no {section}{key!r}; it must be there, as a value of type {expected.__name__}. "
                f"Add it to options.json (its full layout is in docs/formats.md)."
            )
        return default
    value = given[key]
    if expected is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        raise ValueError(
            f"The option {section}{key!r} must be of type {expected.__name__}, but it is {value!r}. "
            f"Correct it in options.json."
        )
    return value


def _positive(section: str, given: Dict[str, Any], key: str, default: Any = ...) -> Any:
    value = _read(section, given, key, int, default)
    if value is not None and value < 1:
        raise ValueError(f"The option {section}{key!r} must be at least 1, but it is {value}.")
    return value


def _check_filters(section: str, filters: List[Any]) -> None:
    for pair in filters or [filters]:
        is_pair = isinstance(pair, (list, tuple)) and len(pair) == 2
        if not is_pair or not all(type(number) is int and number > 0 for number in pair):
            raise ValueError(
                f"The option {section}'filters' must be a list of one or more [width, number of filters], both positive, "
                f"but it holds {pair!r}."
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
            entries = _read(section, given, key, list, default)
            if not all(isinstance(entry, str) for entry in entries):
                raise ValueError(f"The option {section}{key!r} must be a list of strings.")
            tables[key] = tuple(entries)
        max_symbols = _positive(section, given, "max_symbols_per_token")
        try:
            symbols = SymbolTables(tables["characters"], tables["words"], max_symbols)
        except ValueError as error:
            raise ValueError(f"The options {section}: {error}") from error
        own = ("characters", "words", "max_symbols_per_token", "word_dim")
        bare = {key: value for key, value in given.items() if key not in own}
        options = cls.from_dict({**bare, "max_characters_per_token": symbols.max_characters})
        widest = max(width for width, _ in options.filters)
        if max_symbols < widest:
            raise ValueError(f"The option {section}'max_symbols_per_token' is {max_symbols}, less than the widest filter, {widest}.")
        word_dim = _read(section, given, "word_dim", int, 0)
        if word_dim < 0 or bool(word_dim) != bool(symbols.words):
            raise ValueError(
                f"The option {section}'word_dim' is {word_dim} and there are {len(symbols.words):,} 'words': expected both, or "
                f"neither."
            )
        return replace(options, symbols=symbols, word_dim=word_dim)

    @classmethod
    def from_dict(cls, given: Dict[str, Any]) -> "CharCnnOptions":
        section = "char_cnn → "
        known = ("filters", "embedding", "max_characters_per_token", "n_highway", "activation", "n_characters")
        filters = _read(section, given, "filters", list)
        _check_filters(section, filters)
        embedding = _read(section, given, "embedding", dict)
        max_characters = _positive(section, given, "max_characters_per_token", cls.max_characters)
        if max_characters < 3 or max_characters < max(width for width, _ in filters):
            raise ValueError(
                f"The option {section}'max_characters_per_token' is {max_characters}; it must be at least 3 (begin of "
                f"word, one byte, end of word) and no smaller than the widest filter, {max(w for w, _ in filters)}."
            )
        activation = _read(section, given, "activation", str, "relu")
        if activation not in ACTIVATIONS:
            raise ValueError(f"The option {section}'activation' must be one of {ACTIVATIONS}, but it is {activation!r}.")
        num_characters = _read(section, given, "n_characters", int, NUM_CHARACTER_IDS)
        if num_characters not in (NUM_CHARACTER_IDS - 1, NUM_CHARACTER_IDS):
            raise ValueError(
                f"The option {section}'n_characters' must be 261 (training files) or 262 (inference files), "
                f"but it is {num_characters}."
            )
        num_highway = _read(section, given, "n_highway", int, 0)
        if num_highway < 0:
            raise ValueError(f"The option {section}'n_highway' must be 0 or more, but it is {num_highway}.")
        return cls(
            filters=tuple((int(width), int(count)) for width, count in filters),
            embedding_dim=_positive(f"{section}embedding → ", embedding, "dim"),
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


@dataclass(frozen=True)
class LstmOptions:
    """
    The contextual half, each direction alike.

    # Parameters

    cell_dim : width of the memory.
    projection_dim : width of the projected output, which is the recurrent state, and of a word's vector.
    num_layers : number of LSTM layers; 1 where the file does not say, as bilm-tf reads it.
    cell_clip, projection_clip : bounds of the memory and of the projected output; `None` for no bound.
    use_skip_connections : from the second layer on, add a layer's input to its output.
    """

    cell_dim: int
    projection_dim: int
    num_layers: int = 1
    cell_clip: Optional[float] = 3.0
    projection_clip: Optional[float] = 3.0
    use_skip_connections: bool = True
    extra: Dict[str, Any] = field(default_factory=dict, compare=False)

    @classmethod
    def from_dict(cls, given: Dict[str, Any]) -> "LstmOptions":
        section = "lstm → "
        known = ("dim", "projection_dim", "n_layers", "cell_clip", "proj_clip", "use_skip_connections")
        for key in ("cell_clip", "proj_clip"):
            if _read(section, given, key, float, 0.0) < 0:
                raise ValueError(f"The option {section}{key!r} must not be negative, but it is {given[key]!r}.")
        return cls(
            cell_dim=_positive(section, given, "dim"),
            projection_dim=_positive(section, given, "projection_dim"),
            num_layers=_positive(section, given, "n_layers", cls.num_layers),
            cell_clip=_read(section, given, "cell_clip", float, None),
            projection_clip=_read(section, given, "proj_clip", float, None),
            use_skip_connections=_read(section, given, "use_skip_connections", bool, False),
            extra={key: value for key, value in given.items() if key not in known},
        )

    def to_dict(self) -> Dict[str, Any]:
        return {
            "cell_clip": self.cell_clip,
            "dim": self.cell_dim,
            "n_layers": self.num_layers,
            "proj_clip": self.projection_clip,
            "projection_dim": self.projection_dim,
            "use_skip_connections": self.use_skip_connections,
            **self.extra,
        }


@dataclass(frozen=True)
class BilmOptions:
    """
    A whole biLM. `char_cnn` is `None` for a model that takes word ids.

    # Parameters

    num_words : size of the vocabulary that a word-id model's embedding and every softmax has, where known.
    extra : the keys of the file that describe its training or that nobody here knows; kept as they are.
    """

    lstm: LstmOptions
    char_cnn: Optional[CharCnnOptions] = None
    num_words: Optional[int] = None
    extra: Dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def projection_dim(self) -> int:
        return self.lstm.projection_dim

    @property
    def representation_dim(self) -> int:
        """Width of one representation: both directions side by side."""
        return 2 * self.lstm.projection_dim

    @property
    def num_representations(self) -> int:
        """The layer of word vectors and one for each LSTM layer."""
        return self.lstm.num_layers + 1

    @property
    def max_characters(self) -> Optional[int]:
        return None if self.char_cnn is None else self.char_cnn.max_characters

    @classmethod
    def from_dict(cls, given: Dict[str, Any]) -> "BilmOptions":
        """
        The options in a dictionary laid out like `options.json`.

        # Raises

        `ValueError` for a missing or impossible value; its message names the key.
        """
        if not _read("", given, "bidirectional", bool, True):
            raise ValueError(
                "The options say 'bidirectional': false. Only models with both directions are ELMo models; "
                "remove the key if this model has both."
            )
        char_cnn = _read("", given, "char_cnn", dict, None)
        symbol_cnn = _read("", given, "symbol_cnn", dict, None)
        if symbol_cnn is not None and char_cnn is not None:
            raise ValueError("The options have both 'char_cnn' and 'symbol_cnn'; a model reads words in one way. Remove one.")
        encoder = None if char_cnn is None else CharCnnOptions.from_dict(char_cnn)
        options = cls(
            lstm=LstmOptions.from_dict(_read("", given, "lstm", dict)),
            char_cnn=encoder if symbol_cnn is None else CharCnnOptions.from_symbol_dict(symbol_cnn),
            num_words=_positive("", given, "n_tokens_vocab", None),
            extra={k: v for k, v in given.items() if k not in _KNOWN},
        )
        options._log_extra()
        return options

    @classmethod
    def from_file(cls, path: Union[str, Path]) -> "BilmOptions":
        """
        The options in a JSON file.

        # Raises

        `FileNotFoundError` where there is no file, `ValueError` where it is no options file.
        """
        try:
            given = json.loads(Path(path).read_bytes().decode("utf-8-sig"))
        except (FileNotFoundError, IsADirectoryError):
            raise FileNotFoundError(f"There is no options file {path}. Give the path of a biLM's options.json.") from None
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(f"{path} is not JSON in UTF-8 ({error}). Give the path of a biLM's options.json.") from error
        if not isinstance(given, dict):
            raise ValueError(f"{path} holds a JSON {type(given).__name__}; a biLM's options.json holds an object.")
        try:
            return cls.from_dict(given)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def to_dict(self) -> Dict[str, Any]:
        """The layout of `options.json`; every other ELMo system reads it."""
        result: Dict[str, Any] = {"bidirectional": True}
        if self.char_cnn is not None:
            # Under a name that no other system knows: none of them could read such a model.
            result["char_cnn" if self.char_cnn.symbols is None else "symbol_cnn"] = self.char_cnn.to_dict()
        result["lstm"] = self.lstm.to_dict()
        if self.num_words is not None:
            result["n_tokens_vocab"] = self.num_words
        return {**result, **self.extra}

    def _log_extra(self) -> None:
        keys = sorted(self.extra) + [f"lstm → {k}" for k in self.lstm.extra]
        keys += [] if self.char_cnn is None else [f"char_cnn → {k}" for k in self.char_cnn.extra]
        if keys:
            logger.info("Options that the model's shape does not depend on, kept as they are: %s", ", ".join(keys))
