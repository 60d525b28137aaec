"""
What the predictors ask of their inputs.
"""

from typing import Any

from allennlp.common.checks import ConfigurationError

from elmo_plugin.data.shown import as_json


def checked_text(text: Any, name: str, expected: str) -> str:
    """
    # Parameters

    text : what came.
    name : what it is called in messages.
    expected : the message's begin, which tells the form of a whole input.

    # Raises

    `ConfigurationError` where it is no string, or holds half of a surrogate pair, which UTF-8 can not write.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"{expected}, found {as_json(text)} for {name}, which is no string.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"{expected}, found half of a surrogate pair at character {error.start} of {name}, which is no text. "
            f"Write such characters whole, as UTF-8 or as two \\u escapes."
        ) from error
    return text
