"""Files of text that have all of it from the moment that they have their name."""

import os
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Writes under another name, which takes its place; what can't be written whole leaves nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
