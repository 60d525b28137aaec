"""
Wikigold has no parts. This cuts it in three by articles, in the file's order: of every five, three for training, the
fourth for development, the fifth for the test.

    python benchmarks/wikigold_parts.py wikigold.conll.txt wikigold
"""

import sys
from pathlib import Path
from typing import Dict, List

PARTS = ("train", "train", "train", "dev", "test")
BOUNDARY = "-DOCSTART- O"


def cut(text: str) -> Dict[str, List[str]]:
    """Articles, sentences of `word tag` with an empty line between them, by part."""
    articles = [article.strip("\n") for article in text.split(BOUNDARY) if article.strip()]
    parts: Dict[str, List[str]] = {part: [] for part in PARTS}
    for number, article in enumerate(articles):
        parts[PARTS[number % len(PARTS)]].append(article)
    return parts


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python benchmarks/wikigold_parts.py wikigold.conll.txt DIR")
    source, folder = map(Path, sys.argv[1:])
    folder.mkdir(parents=True, exist_ok=True)
    for part, articles in cut(source.read_text(encoding="utf-8")).items():
        text = "".join(f"{BOUNDARY}\n\n{article}\n\n" for article in articles)
        (folder / f"{part}.conll").write_text(text, encoding="utf-8")
        print(f"{part}: {len(articles)} articles")


if __name__ == "__main__":
    main()
