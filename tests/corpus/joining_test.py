import json
from collections import Counter

import numpy as np
import pytest

from elmo_plugin.corpus import joining, merging
from elmo_plugin.corpus.joining import merge_corpora
from elmo_plugin.corpus.prepare import prepare_corpus, prepare_vocabulary
from elmo_plugin.corpus.prepared import PreparedCorpus
from elmo_plugin.corpus.settings import SPECIALS
from elmo_plugin.corpus.work import Progress, Work
from tests.corpus import corpora
from tests.corpus.corpora import sentences, snapshot, write

LINES = [f"the cat number {i} sat on the {'mat' if i % 3 else 'roof'} word{i // 4} <UNK> ." for i in range(60)]
PARTS = {"a": LINES[:25], "b": LINES[25:40], "c": LINES[40:]}
VOCABULARY_FILES = ("vocabulary.txt", "vocabulary.counts.tsv")


def settings(**changes):
    """Nothing is held out, so that parts have the vocabulary of the whole."""
    return corpora.settings(**{"held_out": 0.0, **changes})


@pytest.fixture
def prepare_parts(tmp_path):
    """Prepares each part by itself and gives the directories."""

    def run(prepare=prepare_corpus, **changes):
        for name, lines in PARTS.items():
            prepare([write(tmp_path / f"{name}.txt", lines)], tmp_path / name, settings(**changes))
        return [str(tmp_path / name) for name in PARTS]

    return run


@pytest.mark.parametrize("types_at_once", [7, 1000])
def test_the_vocabulary_of_parts_has_the_bytes_of_one_go(tmp_path, monkeypatch, prepare_parts, types_at_once):
    monkeypatch.setattr(joining, "TYPES_AT_ONCE", types_at_once)
    monkeypatch.setattr(merging, "TYPES_PER_PART", 2 * types_at_once)
    whole = write(tmp_path / "whole.txt", LINES)
    expected = prepare_vocabulary([whole], tmp_path / "whole", settings(max_size=20))
    # What each part leaves out of its own vocabulary is counted all the same.
    parts = prepare_parts(prepare_vocabulary, min_count=5)
    merged = merge_corpora(parts, tmp_path / "merged", settings(max_size=20))
    for name in VOCABULARY_FILES:
        assert (tmp_path / "merged" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    for key in ("sentences", "tokens", "types", "vocabulary_size", "longest_sentence", "oddities", "splits"):
        assert merged[key] == expected[key]
    assert sorted(path.name for path in (tmp_path / "merged").iterdir()) == sorted(
        path.name for path in (tmp_path / "whole").iterdir()
    )


def test_a_merged_corpus_has_the_sentences_of_all_and_the_vocabulary_of_one_go(tmp_path, prepare_parts):
    prepare_corpus([write(tmp_path / "whole.txt", LINES)], tmp_path / "whole", settings())
    parts = prepare_parts(shards=2)
    merge_corpora(parts, tmp_path / "merged", settings())
    merged, whole = PreparedCorpus.open(tmp_path / "merged"), PreparedCorpus.open(tmp_path / "whole")
    assert sorted(sentences(merged, "train")) == sorted(LINES)
    assert merged.description["splits"]["train"]["shards"] == 6
    for name in VOCABULARY_FILES:
        assert (tmp_path / "merged" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert sorted(merged.types()) == sorted(whole.types())
    of_split = whole.description["splits"]["train"]
    assert merged.description["splits"]["train"] == {**of_split, "shards": 6}


def test_counts_of_all_types_stand_beside_them(tmp_path, prepare_parts):
    merge_corpora(prepare_parts(held_out=0.2), tmp_path / "merged", settings())
    merged = PreparedCorpus.open(tmp_path / "merged")
    counts = np.load(tmp_path / "merged" / "types.counts.npy")
    for row, split in enumerate(("train", "heldout")):
        expected = Counter(word for line in sentences(merged, split) for word in line.split())
        assert {word: n for word, n in zip(merged.types(), counts[row].tolist()) if n > 0} == expected
    assert merged.types()[: len(SPECIALS)] == list(SPECIALS)


def test_held_out_sentences_stay_held_out(tmp_path, prepare_parts):
    parts = prepare_parts(held_out=0.2)
    prepare_corpus([write(tmp_path / "more.txt", ["more words"])], tmp_path / "more", settings(min_count=1))
    merge_corpora([*parts, str(tmp_path / "more")], tmp_path / "merged", settings())
    merged, corpora = PreparedCorpus.open(tmp_path / "merged"), [PreparedCorpus.open(part) for part in parts]
    for split, more in (("train", ["more words"]), ("heldout", [])):
        expected = [sentence for corpus in corpora for sentence in sentences(corpus, split)] + more
        assert list(sentences(merged, split)) == expected
        assert merged.description["splits"][split]["sentences"] == len(expected)


def test_merging_in_two_steps_and_by_several_processes_changes_nothing_but_the_names_of_parts(tmp_path, prepare_parts):
    first, second, third = prepare_parts(shards=2)
    merge_corpora([first, second, third], tmp_path / "at once", settings(), Work(processes=2))
    merge_corpora([first, second], tmp_path / "two", settings(min_count=9))
    merge_corpora([str(tmp_path / "two"), third], tmp_path / "in steps", settings())
    at_once, in_steps = snapshot(tmp_path / "at once"), snapshot(tmp_path / "in steps")
    assert at_once.keys() == in_steps.keys()
    assert [path.name for path in at_once if at_once[path] != in_steps[path]] == ["corpus.json"]


def test_the_description_tells_of_the_parts(tmp_path, prepare_parts):
    parts = prepare_parts(seed=3)
    merged = merge_corpora(parts, tmp_path / "merged", settings(max_characters=5))
    assert merged["settings"] == {"min_count": 2, "max_size": None, "max_characters": 5}
    assert [part["name"] for part in merged["parts"]] == parts
    assert merged["parts"][0]["settings"]["seed"] == 3 and merged["parts"][1]["sentences"] == 15
    assert [file["name"] for file in merged["inputs"]] == [str(tmp_path / f"{name}.txt") for name in PARTS]
    assert merged["splits"]["train"]["tokens_cut_at_character_width"] > 0
    assert json.loads((tmp_path / "merged" / "corpus.json").read_text(encoding="utf-8")) == merged


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_a_damaged_copy_of_a_part_is_named(tmp_path, prepare_parts, damage):
    parts = prepare_parts()
    shard = tmp_path / "b" / "train" / "00000.ids.npy"
    if damage == "changed":
        shard.write_bytes(shard.read_bytes()[:-1])
        message = "b/train/00000.ids.npy: is not what the corpus.json of its corpus says .*copy the corpus again"
    else:
        shard.unlink()
        message = "b/train/00000.ids.npy: missing, though the corpus.json .*copy the corpus again"
    with pytest.raises(ValueError, match=message):
        merge_corpora(parts, tmp_path / "merged", settings())
    assert not list(tmp_path.glob("*merged*"))


def test_parts_with_and_without_sentences_do_not_merge(tmp_path, prepare_parts):
    first, second, _ = prepare_parts()
    prepare_vocabulary([str(tmp_path / "c.txt")], tmp_path / "words", settings())
    with pytest.raises(ValueError, match="one of them has sentences, the other was made with --vocabulary-only"):
        merge_corpora([first, second, str(tmp_path / "words")], tmp_path / "merged", settings())


def test_a_part_is_named_once(tmp_path, prepare_parts):
    first, _, _ = prepare_parts()
    with pytest.raises(ValueError, match="a/../a: named twice among the corpora to merge"):
        merge_corpora([first, f"{first}/../a"], tmp_path / "merged", settings())


def test_what_is_no_corpus_is_named(tmp_path, prepare_parts):
    with pytest.raises(ValueError, match="absent: expected a prepared corpus"):
        merge_corpora([str(tmp_path / "absent")], tmp_path / "merged", settings())


def test_a_part_is_not_written_over(tmp_path, prepare_parts):
    parts = prepare_parts()
    for output in (tmp_path / "a", tmp_path):
        for force in (False, True):
            with pytest.raises(ValueError, match="a: a corpus to merge lies in .*, which is to be replaced"):
                merge_corpora(parts, output, settings(), Work(force=force))


def test_names_in_another_order_do_not_end_in_the_advice_to_replace_a_corpus(tmp_path, prepare_parts):
    first, second, *_ = prepare_parts()
    with pytest.raises(ValueError, match="merged: expected a prepared corpus"):
        merge_corpora([str(tmp_path / "merged"), first], tmp_path / second, settings())


def test_an_output_that_is_there_is_kept(tmp_path, prepare_parts):
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match="other: already exists. Use --force"):
        merge_corpora(prepare_parts(), tmp_path / "other", settings())


def test_a_vocabulary_without_words_leaves_nothing(tmp_path, prepare_parts):
    with pytest.raises(ValueError, match="min_count: none of the .* words of the text occurs at least 999 times"):
        merge_corpora(prepare_parts(), tmp_path / "merged", settings(min_count=999))
    assert not list(tmp_path.glob("*merged*"))


def test_progress_is_told_in_files_and_shards(tmp_path, prepare_parts):
    told = []

    class Told(Progress):
        def begin(self, title, total, unit):
            told.append((title, total, unit))

        def reach(self, done):
            told.append(done)

    merge_corpora(prepare_parts(), tmp_path / "merged", settings(), Work(progress=Told()))
    stages = [stage for stage in told if isinstance(stage, tuple)]
    assert stages[:3] == [("checking", 21, "file"), ("merging", 2, "part"), ("writing", 3, "shard")]
    assert told[1:22] == list(range(1, 22))
    assert stages[3][0] == "hashing" and told[-1] == stages[3][1]


def test_skipped_lines_of_all_parts_are_named(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.txt").write_bytes(b"one two .\n\xff\n")
        prepare_corpus([str(tmp_path / f"{name}.txt")], tmp_path / name, settings(min_count=1))
    merged = merge_corpora([str(tmp_path / "a"), str(tmp_path / "b")], tmp_path / "merged", settings())
    named = (tmp_path / "merged" / "skipped.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split(":")[0] for line in named] == [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")]
    assert merged["oddities"]["undecodable_lines"] == 2
