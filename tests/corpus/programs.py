"""What the tests of the program that counts words share."""

import pytest

from elmo_plugin.corpus import compiled_words
from elmo_plugin.corpus.compiled_words import why_not

WAYS = ("compiled", "in Python")
runs_here = pytest.mark.skipif(why_not() is not None, reason=f"the program that counts words can't run: {why_not()}")


def go(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of `WAYS` from here on; skips where the program can't run."""
    if way == "in Python":
        monkeypatch.setattr(compiled_words, "_loaded", lambda: "not wanted")
    elif why_not() is not None:
        pytest.skip(f"the program that counts words can't run: {why_not()}")
