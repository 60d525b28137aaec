"""What the merged types become is tested with the preparation; here: that it does not depend on who merges them."""

import pytest

from elmo_plugin.corpus import prepare
from elmo_plugin.corpus.prepare import prepare_corpus, prepare_vocabulary
from elmo_plugin.corpus.settings import Settings
from tests.corpus.programs import go, runs_here

LINES = [f"the cat number {i} sat on the {'mat' if i % 3 else 'roof'} word{i // 4} ." for i in range(60)]
ODD_LINES = ["<UNK> \x01 a  \t b\x01 \r", " 字 é <S> ", "", "\u3000", "a <UNK>", "a\x01 a", "a\x1fb\u2028c\x85 \r"]


@runs_here
@pytest.mark.parametrize("method", [prepare_corpus, prepare_vocabulary])
def test_without_the_program_every_byte_is_the_same(tmp_path, monkeypatch, method):
    monkeypatch.setattr(prepare, "_BLOCK_BYTES", {"whitespace": 200})
    text = tmp_path / "text.txt"
    text.write_text("\n".join([*LINES, *ODD_LINES]), encoding="utf-8", newline="\n")
    settings = Settings(segmenter="whitespace", presplit=True, held_out=0.1, min_count=2)
    method([str(text)], tmp_path / "fast", settings)
    go("in Python", monkeypatch)
    method([str(text)], tmp_path / "in Python", settings)
    files = [path.relative_to(tmp_path / "fast") for path in (tmp_path / "fast").rglob("*") if path.is_file()]
    assert len(files) >= 5
    for file in files:
        assert (tmp_path / "fast" / file).read_bytes() == (tmp_path / "in Python" / file).read_bytes()
