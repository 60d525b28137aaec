"""
Wikigold has no parts. This cuts it in three: blocks of ten sentences in the file's order, of every five blocks three for
training, the fourth for development, the fifth for the test.

    python benchmarks/wikigold_parts.py wikigold.conll.txt wikigold

Sentences of one article stay together but at a block's edges; the file does not say where articles begin.
"""

import sys
from pathlib import Path
from typing import Dict, List

PARTS = ("train", "train", "train", "dev", "test")
BLOCK = 10


def cut(text: str) -> Dict[str, List[str]]:
    """Sentences, lines of `word tag`, by part."""
    sentences = [block.strip("\n") for block in text.split("\n\n") if block.strip()]
    parts: Dict[str, List[str]] = {part: [] for part in PARTS}
    for number, sentence in enumerate(sentences):
        parts[PARTS[number // BLOCK % len(PARTS)]].append(sentence)
    return parts


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python benchmarks/wikigold_parts.py wikigold.conll.txt DIR")
    source, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    for part, sentences in cut(source.read_text(encoding="utf-8")).items():
        (folder / f"{part}.conll").write_text("".join(f"{sentence}\n\n" for sentence in sentences), encoding="utf-8")
        print(f"{part}: {len(sentences)} sentences")


if __name__ == "__main__":
    main()
