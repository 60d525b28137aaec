import h5py
import pytest
import torch

from elmo_plugin.bilm import token_dump
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.embedding import SentenceReader
from elmo_plugin.bilm.out_of_memory import OutOfMemory
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import load_bilm
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"


def reader():
    return SentenceReader(load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5"), "zero")


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float16", 2e-3)])
def test_row_i_is_the_vector_of_word_i(tmp_path, monkeypatch, dtype, tolerance):
    monkeypatch.setattr(token_dump, "_WORDS_AT_ONCE", 50)
    words = WordVocabulary.from_file(FIXTURE / "vocabulary.txt").words
    this = reader()
    token_dump.write_token_dump(this, words, tmp_path / "t.hdf5", dtype)
    with torch.no_grad():
        expected = this.bilm.encoder(torch.from_numpy(words_to_characters(words, 50)))
    with h5py.File(tmp_path / "t.hdf5") as file:
        assert list(file) == ["embedding"] and file["embedding"].dtype == dtype
        assert_close(file["embedding"], expected, tolerance)


def test_the_published_vectors_come_out(tmp_path, shared_data):
    folder = shared_data / "elmo" / "allennlp_fixture"
    words = (folder / "vocab_test.txt").read_text(encoding="utf-8").split("\n")
    this = SentenceReader(load_bilm(folder / "options.json", folder / "lm_weights.hdf5"), "zero")
    token_dump.write_token_dump(this, words, tmp_path / "t.hdf5", "float32")
    with h5py.File(tmp_path / "t.hdf5") as ours, h5py.File(folder / "elmo_token_embeddings.hdf5") as theirs:
        assert_close(ours["embedding"], theirs["embedding"])


def test_words_that_come_again_have_their_rows_again(tmp_path, monkeypatch):
    monkeypatch.setattr(token_dump, "_WORDS_AT_ONCE", 4)
    words = ["to", "be", "or", "to", "not", "to", "be", "", "to"]
    token_dump.write_token_dump(reader(), words, tmp_path / "t.hdf5", "float32")
    with h5py.File(tmp_path / "t.hdf5") as file:
        rows = file["embedding"][()]
    for word, row in zip(words, rows):
        with torch.no_grad():
            assert_close(row, reader().bilm.encoder(torch.from_numpy(words_to_characters([word], 50)))[0])


def test_no_word_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="There is no word to embed. Give a file of words, one a line."):
        token_dump.write_token_dump(reader(), [], tmp_path / "t.hdf5", "float32")
    assert list(tmp_path.iterdir()) == []


def test_memory_that_runs_out_has_a_remedy_and_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("elmo_plugin.bilm.word_vectors.of_rows", fail)
    with pytest.raises(OutOfMemory, match="on cpu for the vectors of 1 words. .* take another device"):
        token_dump.write_token_dump(reader(), ["word"], tmp_path / "t.hdf5", "float32")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_is_kept_unless_forced(tmp_path):
    (tmp_path / "t.hdf5").write_text("old")
    with pytest.raises(ValueError, match="already exists"):
        token_dump.write_token_dump(reader(), ["a"], tmp_path / "t.hdf5", "float32")
    token_dump.write_token_dump(reader(), ["a"], tmp_path / "t.hdf5", "float32", force=True)
    assert h5py.is_hdf5(tmp_path / "t.hdf5")


def test_what_can_not_be_written_leaves_nothing(tmp_path, monkeypatch):
    def fail(words):
        raise OSError("No space left on device")

    this = reader()
    monkeypatch.setattr(this, "word_vectors", fail)
    message = "could not be written .No space left on device.. Nothing is kept. Mend the cause"
    with pytest.raises(ValueError, match=message):
        token_dump.write_token_dump(this, ["a"], tmp_path / "t.hdf5", "float32")
    assert list(tmp_path.iterdir()) == []
