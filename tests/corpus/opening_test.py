import json
import shutil

import numpy
import pytest

from elmo_plugin.corpus.opening import check_vocabulary, find_split, open_shards, open_types
from elmo_plugin.corpus.prepare import prepare_corpus, prepare_vocabulary
from elmo_plugin.corpus.prepared import PreparedCorpus
from elmo_plugin.corpus.settings import Settings

TEXT = "".join(f"a b w{number % 7} w{number % 3}\n" for number in range(60)) + "rare\n"
SETTINGS = Settings(segmenter="whitespace", presplit=True, held_out=0.2, shards=2, min_count=2)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    (folder / "text.txt").write_text(TEXT)
    prepare_corpus([str(folder / "text.txt")], folder / "corpus", SETTINGS)
    return folder / "corpus"


@pytest.fixture
def directory(prepared, tmp_path):
    """A copy that a test may break."""
    return shutil.copytree(prepared, tmp_path / "corpus")


def words_of(directory):
    return (directory / "vocabulary.txt").read_text().split("\n")[:-1]


def test_a_directory_is_found_by_its_parts_and_is_its_training_part_itself(prepared, tmp_path, monkeypatch):
    for path, split in (("", "train"), ("train", "train"), ("heldout/", "heldout")):
        corpus, found = find_split(f"{prepared}/{path}")
        assert (corpus.directory, found) == (prepared, split)
    monkeypatch.chdir(prepared / "heldout")
    assert find_split(".")[1] == "heldout"
    assert find_split(str(prepared / "train" / "*.txt")) is None
    assert find_split(str(prepared / "train" / "00000.txt")) is None
    assert find_split(str(tmp_path / "nothing")) is None


def test_another_directory_is_told_from_a_prepared_one(prepared, tmp_path):
    (tmp_path / "train").mkdir()
    (prepared / "other").mkdir()
    for path in (tmp_path, tmp_path / "train", prepared / "other"):
        message = f"^{path} is a folder, but not of a prepared corpus.*{path}/\\*.txt.*elmo-prepare"
        with pytest.raises(ValueError, match=message):
            find_split(str(path))
    (prepared / "other").rmdir()


def test_all_that_is_whole_opens(prepared):
    corpus = PreparedCorpus.open(prepared)
    assert [len(open_shards(corpus, split)) for split in ("train", "heldout")] == [2, 1]
    types = open_types(corpus)
    assert types.words(numpy.arange(len(types))) == corpus.types()
    check_vocabulary(corpus, types, words_of(prepared))


def test_a_part_that_is_not_there_is_named(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    inputs = [str(tmp_path / "text.txt")]
    prepare_corpus(inputs, tmp_path / "whole", Settings(segmenter="whitespace", presplit=True, held_out=0.0))
    prepare_vocabulary(inputs, tmp_path / "words", SETTINGS)
    for name, split in (("whole", "heldout"), ("words", "train")):
        with pytest.raises(ValueError, match=f"{name} has no part '{split}'; .* --held-out .* --vocabulary-only"):
            open_shards(PreparedCorpus.open(tmp_path / name), split)


def truncate(path):
    path.write_bytes(path.read_bytes()[:-8])


def write_as(dtype):
    return lambda path: numpy.save(path, numpy.load(path).astype(dtype))


def change(index, value):
    def change(path):
        numbers = numpy.load(path)
        numbers[index] = value
        numpy.save(path, numbers)

    return change


@pytest.mark.parametrize(
    "name, damage, message",
    [
        ("ids", lambda path: path.unlink(), "expected a whole .npy file of the prepared corpus, but .*No such file"),
        ("ids", truncate, "expected a whole .npy file of the prepared corpus, but it can't be read"),
        ("ids", lambda path: path.write_bytes(b""), "expected a whole .npy file of the prepared corpus, but"),
        ("ids", lambda path: path.write_text("no numbers"), "expected a whole .npy file of the prepared corpus, but"),
        ("offsets", truncate, "expected a whole .npy file of the prepared corpus, but it can't be read"),
        ("ids", write_as("int64"), r"expected a row of int32, found int64 of shape \(\d+,\)"),
        ("offsets", write_as("float64"), r"expected a row of int64, found float64 of shape \(\d+,\)"),
        ("offsets", change(0, 1), r"expected numbers that ascend from 0 to \d+, the length of the ids"),
        ("offsets", change(-1, 3), r"expected numbers that ascend from 0 to \d+, the length of the ids"),
        ("offsets", change(4, 900), r"expected numbers that ascend from 0 to \d+, the length of the ids"),
    ],
)
def test_a_damaged_shard_is_an_error_that_names_the_file(directory, name, damage, message):
    path = directory / "train" / f"00001.{name}.npy"
    damage(path)
    with pytest.raises(ValueError, match=f"^{path}: {message}.* the corpus again"):
        open_shards(PreparedCorpus.open(directory), "train")


def test_shards_of_another_preparation_are_told_by_their_size(directory):
    for name in ("ids", "offsets"):
        shutil.copy(directory / "heldout" / f"00000.{name}.npy", directory / "train" / f"00001.{name}.npy")
    message = r"train: expected \d+ sentences, as corpus.json says, but its files hold \d+. .*prepare it again"
    with pytest.raises(ValueError, match=message):
        open_shards(PreparedCorpus.open(directory), "train")


@pytest.mark.parametrize(
    "damage, found", [(truncate, r"\d+"), (lambda path: path.write_bytes(b""), "0"), (lambda path: path.unlink(), None)]
)
def test_types_that_are_missing_or_not_whole_are_named(directory, damage, found):
    path = directory / "types.txt"
    damage(path)
    message = "is missing. Copy" if found is None else rf"expected \d+ lines, as corpus.json says, found {found}. The"
    with pytest.raises(ValueError, match=f"^{path}:? {message}"):
        open_types(PreparedCorpus.open(directory))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda words: [*words[:4], "zzz", *words[5:]], "line 5 is '.*' in the corpus and 'zzz' in the model's"),
        (lambda words: words[:-1], r"12 words and 11; line 12 is '.*' in the corpus and not there in the model's"),
        (lambda words: [*words, "more"], "12 words and 13; line 13 is not there in the corpus and 'more' in the model"),
        (lambda words: [*words[:-1], words[-1] + "x"], r"line 12 is '(.*)' in the corpus and '\1x' in the model's"),
    ],
)
def test_another_vocabulary_is_told_with_the_first_line_that_differs(prepared, change, message):
    corpus = PreparedCorpus.open(prepared)
    words = words_of(prepared)
    assert len(words) == 12
    remedy = "Give the corpus's own, .*vocabulary.txt; or .* as text.*train/.*txt"
    with pytest.raises(ValueError, match=f"{message}.*{remedy}"):
        check_vocabulary(corpus, open_types(corpus), change(words))


def test_a_description_that_was_cut_short_is_named(directory):
    path = directory / "corpus.json"
    path.write_bytes(path.read_bytes()[:99])
    with pytest.raises(ValueError, match=f"^{path}: is not whole .*; copy the corpus again or prepare it again"):
        find_split(str(directory))


def test_a_corpus_of_another_version_is_refused(directory):
    description = json.loads((directory / "corpus.json").read_text())
    (directory / "corpus.json").write_text(json.dumps({**description, "format_version": 99}))
    with pytest.raises(ValueError, match="expected format_version 1, found 99; prepare it again"):
        find_split(str(directory))
