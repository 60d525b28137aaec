"""
What shape a bidirectional language model has: the contents of `options.json`, as values.

The same dataclasses serve the file, the training configuration and the archive. Every number that follows
from another one (widths, counts of representations) is a property here and is typed nowhere else.
"""

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Optional, Union

from elmo_plugin.bilm.encoder_options import CharCnnOptions, positive_option, read_option

logger = logging.getLogger(__name__)

_KNOWN = ("bidirectional", "char_cnn", "symbol_cnn", "lstm", "n_tokens_vocab")


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
            if read_option(section, given, key, float, 0.0) < 0:
                raise ValueError(f"The option {section}{key!r} must not be negative, but it is {given[key]!r}.")
        return cls(
            cell_dim=positive_option(section, given, "dim"),
            projection_dim=positive_option(section, given, "projection_dim"),
            num_layers=positive_option(section, given, "n_layers", cls.num_layers),
            cell_clip=read_option(section, given, "cell_clip", float, None),
            projection_clip=read_option(section, given, "proj_clip", float, None),
            use_skip_connections=read_option(section, given, "use_skip_connections", bool, False),
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
        if not read_option("", given, "bidirectional", bool, True):
            raise ValueError(
                "The options say 'bidirectional': false. Only models with both directions are ELMo models; "
                "remove the key if this model has both."
            )
        char_cnn = read_option("", given, "char_cnn", dict, None)
        symbol_cnn = read_option("", given, "symbol_cnn", dict, None)
        if symbol_cnn is not None and char_cnn is not None:
            raise ValueError(
                "The options have both 'char_cnn' and 'symbol_cnn'; a model reads words in one way. Remove one."
            )
        encoder = None if char_cnn is None else CharCnnOptions.from_dict(char_cnn)
        options = cls(
            lstm=LstmOptions.from_dict(read_option("", given, "lstm", dict)),
            char_cnn=encoder if symbol_cnn is None else CharCnnOptions.from_symbol_dict(symbol_cnn),
            num_words=positive_option("", given, "n_tokens_vocab", None),
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
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            raise FileNotFoundError(
                f"There is no options file {path}. Give the path of a biLM's options.json."
            ) from None
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ValueError(
                f"{path} is not JSON in UTF-8 ({error}). Give the path of a biLM's options.json."
            ) from error
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
