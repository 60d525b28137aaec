"""The files that a model is made of, under the names that people give them."""

from pathlib import Path
from typing import List, Optional, Tuple

from elmo_plugin.bilm.vocabulary import WordVocabulary

VOCABULARY_NAMES = ("vocabulary.txt", "vocab.txt", "vocab.txt.gz", "vocabulary.txt.gz")


def find_options(folder: Path, stem: str = "") -> Path:
    """
    The options file of a folder: `options.json`, or the one that is named as the weight file is (`…_weights.hdf5` and
    `…_options.json`).

    # Raises

    `FileNotFoundError` where there is none.
    """
    candidates = [folder / "options.json", folder / f"{stem.removesuffix('_weights')}_options.json"]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FileNotFoundError(
        "There is no options file beside the weights: expected "
        f"{' or '.join(map(str, candidates[: 2 if stem else 1]))}. Name it as `options_file` (--options-file)."
    )


def find_vocabulary(folder: Path, given: Optional[Path]) -> Optional[WordVocabulary]:
    """
    The vocabulary that was named, else the one of the folder, `None` where there is neither.

    # Raises

    As `WordVocabulary.from_file`.
    """
    if given is not None:
        return WordVocabulary.from_file(given)
    found: List[Path] = [folder / name for name in VOCABULARY_NAMES if (folder / name).is_file()]
    return WordVocabulary.from_file(found[0]) if found else None


def usable_vocabulary(
    folder: Path, given: Optional[Path], is_needed: bool
) -> Tuple[Optional[WordVocabulary], List[str]]:
    """
    `find_vocabulary`; one that nobody asked for and nothing needs may be unusable, and is left out, as the list says.

    # Raises

    As `find_vocabulary`, where it is needed or was named.
    """
    try:
        return find_vocabulary(folder, given), []
    except ValueError as error:
        if is_needed or given is not None:
            raise
        return None, [f"the vocabulary, which nothing needs here: {error}"]


def check_size(vocabulary: WordVocabulary, num_words: int, what: str) -> None:
    """
    # Raises

    `ValueError` where a vocabulary has not the words of the model.
    """
    if len(vocabulary) != num_words:
        raise ValueError(
            f"{vocabulary.source} has {len(vocabulary):,} words, but {what} has {num_words:,}. Give the vocabulary "
            "that the model was trained with as `vocabulary_file` (--vocabulary-file)."
        )
