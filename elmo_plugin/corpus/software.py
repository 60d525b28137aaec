"""Versions of software: of what the words of a prepared corpus depend on, besides input and settings."""

import unicodedata
from importlib import metadata
from typing import Dict, Iterable

from elmo_plugin.corpus.settings import Settings

# Python's tables of characters: what is white space, a letter, a normal form.
UNICODE = "unicode"
NOT_INSTALLED = "none"
_PACKAGES = {"spacy": ["spacy"], "jieba": ["spacy", "jieba"], "pkuseg": ["spacy", "spacy-pkuseg"]}


def software_of(settings: Settings) -> Dict[str, str]:
    """What a preparation with these settings uses; the segmenter is installed."""
    packages = _PACKAGES.get(settings.segmenter, [])
    if settings.segmenter == "whitespace" and not settings.presplit and settings.language != "zh":
        packages = _PACKAGES["spacy"]
    return versions([UNICODE, *packages])


def versions(names: Iterable[str]) -> Dict[str, str]:
    """The version of each, of packages or `UNICODE`."""
    return {name: unicodedata.unidata_version if name == UNICODE else _version(name) for name in names}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return NOT_INSTALLED
