"""
English text that every installation has: the documentation of Python and of the installed packages.

    python demo/gather_text.py OUTDIR [--words 400000]

Writes one file for each package, a paragraph a line with blank lines between. The same installation gives the same
bytes. Sources are parsed, never imported.
"""

import argparse
import ast
import re
import sysconfig
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Set

from prose import paragraphs

# The best written first: gathering stops when there are enough words. What is not installed is passed over.
PACKAGES = ("numpy", "scipy", "sklearn", "networkx", "matplotlib", "nltk", "sympy", "torch", "allennlp", "transformers")
DOCUMENT_ENDINGS = (".md", ".rst")
SKIPPED_FOLDERS = frozenset(("test", "tests", "testing", "site-packages", "dist-packages", "__pycache__", "idlelib"))
DEFAULT_WORDS = 400_000
_SENTENCE_END = re.compile(r"(?<=[.!?]) (?=[A-Z])")


@dataclass(frozen=True)
class Package:
    """A folder of Python sources and documents, and the name of the file its text goes to."""

    name: str
    folder: Path

    def files(self) -> List[Path]:
        """Its sources and documents, sorted; tests left out."""
        found = (path for path in self.folder.rglob("*") if path.suffix in (".py", *DOCUMENT_ENDINGS))
        return sorted(path for path in found if not self._is_test(path))

    def _is_test(self, path: Path) -> bool:
        parts = path.relative_to(self.folder).parts
        return bool(SKIPPED_FOLDERS.intersection(parts)) or parts[-1].startswith("test_")


def find_packages(standard_library: Path, site_packages: Path) -> List[Package]:
    installed = (Package(name, site_packages / name) for name in PACKAGES)
    return [Package("python", standard_library), *(package for package in installed if package.folder.is_dir())]


def gather(packages: List[Package], output: Path, num_words: int) -> int:
    """
    Writes `NAME.txt` for one package after the other until there are `num_words` words; returns how many there are.
    A sentence is taken once, the first time: documentation repeats itself, and a sentence that stood in the training
    and in the held-out text would make the perplexity too good.

    # Raises

    `ValueError` if the packages hold no prose at all.
    """
    output.mkdir(parents=True, exist_ok=True)
    seen: Set[str] = set()
    total = 0
    for package in packages:
        if total >= num_words:
            break
        texts = []
        for paragraph in package_paragraphs(package):
            sentences = [text for text in _SENTENCE_END.split(paragraph) if text not in seen]
            seen.update(sentences)
            if sentences and total < num_words:
                texts.append(" ".join(sentences))
                total += len(texts[-1].split())
        (output / f"{package.name}.txt").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
        print(f"{package.name}: {len(texts):,} paragraphs; {total:,} words so far", flush=True)
    if total == 0:
        raise ValueError(f"no prose in {', '.join(str(package.folder) for package in packages)}; is it Python's?")
    return total


def package_paragraphs(package: Package) -> Iterator[str]:
    for path in package.files():
        if path.suffix == ".py":
            documents = source_documents(path)
        else:
            documents = iter([path.read_text(encoding="utf-8", errors="replace")])
        for document in documents:
            yield from paragraphs(document)


def source_documents(path: Path) -> Iterator[str]:
    """
    The docstrings of a source file, and the pages of the language reference that `help()` shows (a module that holds
    nothing but a dictionary of texts). A file that this Python cannot parse gives none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            module = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            return
    if path.parent.name == "pydoc_data":
        constants = (node.value for node in ast.walk(module) if isinstance(node, ast.Constant))
        yield from (value for value in constants if isinstance(value, str))
    else:
        yield from _docstrings(module)


def _docstrings(node: "ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef") -> Iterator[str]:
    docstring = ast.get_docstring(node)
    if docstring is not None:
        yield docstring
    for child in node.body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _docstrings(child)


def main() -> None:
    parser = argparse.ArgumentParser(description="Gather English text from the installed documentation.")
    parser.add_argument("output", type=Path, metavar="OUTDIR")
    parser.add_argument("--words", type=int, default=DEFAULT_WORDS, help="stop after this many (default: %(default)s)")
    arguments = parser.parse_args()
    paths = sysconfig.get_paths()
    gather(find_packages(Path(paths["stdlib"]), Path(paths["purelib"])), arguments.output, arguments.words)


if __name__ == "__main__":
    main()
