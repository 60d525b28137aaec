"""What came in the place of what was expected, as messages show it."""

import json
from typing import Any


def shortened(text: str) -> str:
    """A text's first 80 characters."""
    text = text.strip()
    return text if len(text) <= 80 else f"{text[:80]}…"


def as_json(data: Any) -> str:
    """Data of JSON as it was written, letters of any language as they are, shortened."""
    return shortened(json.dumps(data, ensure_ascii=False))
