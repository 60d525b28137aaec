import unicodedata

import pytest
import spacy

from elmo_plugin.corpus.settings import Settings
from elmo_plugin.corpus.software import software_of, versions


@pytest.mark.parametrize(
    "settings, names",
    [
        (Settings(), {"unicode", "spacy"}),
        (Settings(segmenter="whitespace"), {"unicode", "spacy"}),
        (Settings(segmenter="whitespace", presplit=True), {"unicode"}),
        (Settings(segmenter="whitespace", language="zh"), {"unicode"}),
        (Settings(segmenter="characters"), {"unicode"}),
        (Settings(segmenter="jieba", language="zh"), {"unicode", "spacy", "jieba"}),
        (Settings(segmenter="pkuseg", language="zh"), {"unicode", "spacy", "spacy-pkuseg"}),
    ],
)
def test_what_finds_words_and_sentences_is_named(settings, names):
    assert set(software_of(settings)) == names


def test_versions_are_those_installed():
    assert versions(["unicode", "spacy"]) == {"unicode": unicodedata.unidata_version, "spacy": spacy.__version__}
    assert versions(["no-such-package"]) == {"no-such-package": "none"}
