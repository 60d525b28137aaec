import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
import unicodedata
from collections import Counter

import numpy as np
import pytest

from elmo_plugin.corpus import merging, prepare, software
from elmo_plugin.corpus.block_files import SHOWN_REPORTS
from elmo_plugin.corpus.directories import unfinished_directory
from elmo_plugin.corpus.opening import open_shards
from elmo_plugin.corpus.prepare import prepare_corpus, prepare_vocabulary
from elmo_plugin.corpus.prepared import PreparedCorpus
from elmo_plugin.corpus.settings import SPECIALS, Settings
from elmo_plugin.corpus.work import Progress, Work
from tests.conftest import PROJECT_ROOT
from tests.corpus.corpora import sentences, settings, snapshot

LINES = [f"the cat number {i} sat on the {'mat' if i % 3 else 'roof'} word{i // 4} ." for i in range(60)]


def write(tmp_path, data, name="text.txt"):
    if isinstance(data, list):
        data = "".join(line + "\n" for line in data)
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def prepared(tmp_path, data=LINES, name="out", **changes):
    prepare_corpus([write(tmp_path, data)], tmp_path / name, settings(**changes))
    return PreparedCorpus.open(tmp_path / name)


def test_every_sentence_is_in_one_split_once_in_another_order(tmp_path):
    corpus = prepared(tmp_path, shards=3)
    train, held_out = list(sentences(corpus, "train")), list(sentences(corpus, "heldout"))
    assert sorted(train + held_out) == sorted(LINES)
    assert train != sorted(train, key=LINES.index)
    assert len(held_out) >= 1
    assert corpus.description["splits"]["train"]["shards"] == 3
    assert corpus.description["splits"]["train"]["sentences"] == len(train)
    assert corpus.description["splits"]["heldout"]["tokens"] == sum(len(line.split()) for line in held_out)


def test_arrays_have_the_types_that_training_maps(tmp_path):
    shard, *_ = open_shards(prepared(tmp_path), "train")
    assert (shard.ids.dtype, shard.offsets.dtype) == (np.int32, np.int64)
    assert isinstance(shard.ids, np.memmap)
    assert shard.offsets[0] == 0 and shard.offsets[-1] == len(shard.ids)


def test_the_vocabulary_is_counted_on_training_sentences_and_sorted(tmp_path):
    corpus = prepared(tmp_path)
    counts = Counter(word for line in sentences(corpus, "train") for word in line.split())
    expected = sorted((word for word in counts if counts[word] >= 2), key=lambda word: (-counts[word], word))
    vocabulary = (corpus.directory / "vocabulary.txt").read_text().split()
    assert vocabulary == [*SPECIALS, *expected]
    num_sentences = corpus.description["splits"]["train"]["sentences"]
    unknown = sum(counts[word] for word in counts if word not in vocabulary)
    rows = [line.split("\t") for line in (corpus.directory / "vocabulary.counts.tsv").read_text().splitlines()]
    assert [word for word, _ in rows] == vocabulary
    assert [int(n) for _, n in rows] == [num_sentences, num_sentences, unknown, *(counts[word] for word in expected)]


def test_types_are_the_vocabulary_and_then_every_other_word(tmp_path):
    corpus = prepared(tmp_path)
    vocabulary = (corpus.directory / "vocabulary.txt").read_text().split()
    words = corpus.types()
    assert words[: len(vocabulary)] == vocabulary
    assert sorted(words) == sorted({word for line in LINES for word in line.split()} | set(SPECIALS))
    assert corpus.description["types"] == len(words)
    assert corpus.description["vocabulary_size"] == len(vocabulary)


def test_every_type_is_counted_in_each_split(tmp_path):
    corpus = prepared(tmp_path, [*LINES, "<UNK> </S> the end", "<UNK> <S>"])
    counts = np.load(corpus.directory / "types.counts.npy")
    assert counts.shape == (2, corpus.description["types"])
    for row, split in enumerate(("train", "heldout")):
        expected = Counter(word for line in sentences(corpus, split) for word in line.split())
        assert {word: n for word, n in zip(corpus.types(), counts[row].tolist()) if n > 0} == expected


def test_out_of_vocabulary_tokens_are_counted_for_each_split(tmp_path):
    corpus = prepared(tmp_path)
    vocabulary = set((corpus.directory / "vocabulary.txt").read_text().split())
    for split in ("train", "heldout"):
        tokens = [word for line in sentences(corpus, split) for word in line.split()]
        unknown = sum(word not in vocabulary for word in tokens)
        described = corpus.description["splits"][split]
        assert described["out_of_vocabulary_tokens"] == unknown > 0
        assert described["out_of_vocabulary_rate"] == pytest.approx(unknown / len(tokens))


def test_max_size_keeps_the_most_frequent_words(tmp_path):
    corpus = prepared(tmp_path, max_size=6, min_count=1)
    assert (corpus.directory / "vocabulary.txt").read_text().split() == [*SPECIALS, "the", ".", "cat"]


def test_the_same_input_and_seed_give_the_same_bytes(tmp_path):
    first, second = prepared(tmp_path), prepared(tmp_path, name="again")
    assert snapshot(first.directory) == snapshot(second.directory)
    other = prepared(tmp_path, name="other", seed=14)
    assert list(sentences(first, "train")) != list(sentences(other, "train"))


def test_merging_in_parts_gives_the_same_vocabulary_and_sentences(tmp_path, monkeypatch):
    lines = [*LINES, "<UNK> </S> the end", "<UNK> <S>"]
    whole = prepared(tmp_path, lines)
    monkeypatch.setattr(merging, "TYPES_PER_PART", 7)
    parts = prepared(tmp_path, lines, name="parts")
    for name in ("vocabulary.txt", "vocabulary.counts.tsv", "train/00000.txt", "heldout/00000.txt"):
        assert (whole.directory / name).read_bytes() == (parts.directory / name).read_bytes()
    assert list(sentences(parts, "train")) == list(sentences(whole, "train"))
    assert sorted(parts.types()) == sorted(whole.types())
    assert parts.description["splits"] == whole.description["splits"]


def test_many_blocks_hold_the_same_sentences_as_one(tmp_path, monkeypatch):
    monkeypatch.setitem(prepare._BLOCK_BYTES, "whitespace", 300)
    corpus = prepared(tmp_path, shards=2)
    assert sorted([*sentences(corpus, "train"), *sentences(corpus, "heldout")]) == sorted(LINES)


@pytest.mark.parametrize("processes", [2, 3])
def test_the_number_of_processes_does_not_change_a_byte(tmp_path, monkeypatch, processes):
    monkeypatch.setitem(prepare._BLOCK_BYTES, "whitespace", 300)
    path = write(tmp_path, LINES)
    for name, number in (("one", 1), ("more", processes)):
        prepare_corpus([path], tmp_path / name, settings(shards=4), work=Work(processes=number))
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "more")


def test_documents_are_segmented_alike_by_several_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare, "_SLOW_BLOCK_BYTES", 200)
    path = write(tmp_path, [f"It is number {i}. Isn't it?\n" for i in range(40)])
    for name, number in (("one", 1), ("two", 2)):
        prepare_corpus([path], tmp_path / name, settings(segmenter="spacy", presplit=False), Work(processes=number))
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")
    assert PreparedCorpus.open(tmp_path / "two").description["sentences"] == 80


class Interruption(Progress):
    """Interrupts a stage when it has reached a point; counts what is done anew."""

    def __init__(self, title=None, point=None):
        self.title, self.point, self.stage, self.reached = title, point, None, {}

    def begin(self, title, total, unit):
        self.stage = title
        self.reached[title] = 0

    def reach(self, done):
        self.reached[self.stage] += 1
        if self.stage == self.title and self.reached[self.stage] == self.point:
            raise KeyboardInterrupt


@pytest.mark.parametrize("title, point", [("reading", 3), ("writing", 3)])
@pytest.mark.parametrize("processes", [1, 2])
def test_an_interrupted_preparation_goes_on_where_it_was(tmp_path, monkeypatch, title, point, processes):
    monkeypatch.setitem(prepare._BLOCK_BYTES, "whitespace", 300)
    path, output = write(tmp_path, LINES), tmp_path / "out"
    prepare_corpus([path], tmp_path / "never interrupted", settings(shards=6))
    with pytest.raises(KeyboardInterrupt):
        work = Work(processes=processes, progress=Interruption(title, point))
        prepare_corpus([path], output, settings(shards=6), work)
    assert not output.exists()
    unfinished = unfinished_directory(output) / "scratch"
    before = {file: file.stat().st_mtime_ns for file in unfinished.glob("*.json")}
    again = Interruption()
    prepare_corpus([path], output, settings(shards=6), Work(processes=processes, progress=again))
    num_blocks = sum(file.name.count(".") == 1 for file in before)
    assert num_blocks >= 3 and again.reached["reading"] <= 12 - num_blocks
    assert snapshot(output) == snapshot(tmp_path / "never interrupted")
    assert not unfinished.exists()


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
sys.modules["allennlp"] = None
from pathlib import Path
from elmo_plugin.corpus import prepare
from elmo_plugin.corpus.settings import Settings
from elmo_plugin.corpus.work import Progress, Work

class Kill(Progress):
    def begin(self, title, total, unit):
        self.title, self.calls = title, 0
    def reach(self, done):
        self.calls += 1
        if (self.title, self.calls) == ({title!r}, {point}):
            os.kill(os.getpid(), signal.SIGKILL)

prepare._BLOCK_BYTES["whitespace"] = 150
settings = Settings(segmenter="whitespace", presplit=True, held_out=0.1, min_count=2, shards=6)
prepare.prepare_corpus([{path!r}], Path({output!r}), settings, Work(processes=2, progress=Kill()))
"""


def test_a_preparation_killed_again_and_again_ends_with_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setitem(prepare._BLOCK_BYTES, "whitespace", 150)
    path, output = write(tmp_path, LINES), tmp_path / "out"
    prepare_corpus([path], tmp_path / "never killed", settings(shards=6))
    for title, point in (("reading", 1), ("reading", 2), ("writing", 1), ("writing", 4)):
        code = KILLED.format(root=str(PROJECT_ROOT), title=title, point=point, path=path, output=str(output))
        assert subprocess.run([sys.executable, "-c", code], timeout=600).returncode == -signal.SIGKILL
        assert not output.exists()
    prepare_corpus([path], output, settings(shards=6))
    assert snapshot(output) == snapshot(tmp_path / "never killed")


def test_what_an_interruption_left_is_not_used_for_other_input_or_settings(tmp_path, monkeypatch):
    monkeypatch.setitem(prepare._BLOCK_BYTES, "whitespace", 300)
    path, output = write(tmp_path, LINES), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        prepare_corpus([path], output, settings(shards=6), Work(progress=Interruption("writing", 3)))
    write(tmp_path, [line.replace("cat", "dog") if i == 30 else line for i, line in enumerate(LINES)])
    changed = settings(shards=2, held_out=0.0, min_count=1, seed=3)
    prepare_corpus([path], output, changed)
    prepare_corpus([path], tmp_path / "fresh", changed)
    assert snapshot(output) == snapshot(tmp_path / "fresh")
    assert "dog" in PreparedCorpus.open(output).types()


def test_shards_do_not_go_over_from_one_vocabulary_to_another(tmp_path, monkeypatch):
    path, output = write(tmp_path, LINES), tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        prepare_corpus([path], output, settings(shards=6), Work(progress=Interruption("writing", 3)))
    prepare_corpus([path], output, settings(shards=6, min_count=9))
    prepare_corpus([path], tmp_path / "fresh", settings(shards=6, min_count=9))
    assert snapshot(output) == snapshot(tmp_path / "fresh")


def test_a_part_of_blank_lines_is_no_harm(tmp_path, monkeypatch):
    monkeypatch.setitem(prepare._BLOCK_BYTES, "whitespace", 50)
    corpus = prepared(tmp_path, "\n" * 400 + "".join(line + "\n" for line in LINES) + "\n" * 400)
    assert sorted([*sentences(corpus, "train"), *sentences(corpus, "heldout")]) == sorted(LINES)


def test_progress_is_told_in_bytes_and_shards(tmp_path, monkeypatch):
    monkeypatch.setitem(prepare._BLOCK_BYTES, "whitespace", 300)
    told = []

    class Told(Progress):
        def begin(self, title, total, unit):
            told.append((title, total, unit))

        def reach(self, done):
            told.append(done)

    path = write(tmp_path, LINES)
    prepare_corpus([path], tmp_path / "out", settings(shards=3), work=Work(progress=Told()))
    size = (tmp_path / "text.txt").stat().st_size
    written = sum(len(content) for path, content in snapshot(tmp_path / "out").items() if path.name != "corpus.json")
    merging, writing = told.index(("merging", 2, "part")), told.index(("writing", 4, "shard"))
    hashing = told.index(("hashing", written, "B"))
    assert told[0] == ("reading", size, "B")
    assert told[1:merging] == sorted(told[1:merging]) and told[merging - 1] == size
    assert told[merging + 1 : writing] == [1, 2]
    assert told[writing + 1 : hashing] == [1, 2, 3, 4]
    assert told[hashing + 1 :] == sorted(told[hashing + 1 :]) and told[-1] == written


@pytest.mark.parametrize("processes", [1, 2])
def test_the_vocabulary_alone_is_that_of_the_whole_text(tmp_path, monkeypatch, processes):
    monkeypatch.setitem(prepare._BLOCK_BYTES, "whitespace", 300)
    corpus = prepared(tmp_path, held_out=0.0)
    work = Work(processes=processes)
    description = prepare_vocabulary([str(tmp_path / "text.txt")], tmp_path / "words", settings(), work)
    for name in ("vocabulary.txt", "vocabulary.counts.tsv", "types.txt", "types.counts.npy"):
        assert (tmp_path / "words" / name).read_bytes() == (corpus.directory / name).read_bytes()
    files = ["corpus.json", "types.counts.npy", "types.txt", "vocabulary.counts.tsv", "vocabulary.txt"]
    assert sorted(path.name for path in (tmp_path / "words").iterdir()) == files
    for key in ("sentences", "tokens", "types", "vocabulary_size", "oddities", "longest_sentence", "settings"):
        assert description[key] == corpus.description[key]
    assert list(PreparedCorpus.open(tmp_path / "words").shard_paths("train")) == []


def test_what_was_done_by_other_versions_is_done_again(tmp_path, monkeypatch):
    path, output = write(tmp_path, LINES), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(software, "versions", lambda names: dict.fromkeys(names, "0"))
        with pytest.raises(KeyboardInterrupt):
            prepare_corpus([path], output, settings(shards=6), Work(progress=Interruption("writing", 3)))
    again = Interruption()
    prepare_corpus([path], output, settings(shards=6), Work(progress=again))
    assert again.reached["reading"] == 1
    assert PreparedCorpus.open(output).description["software"] == {"unicode": unicodedata.unidata_version}


def test_json_lines_are_prepared_by_their_field(tmp_path):
    documents = ["The cat sat.\nOn the mat. It slept.", "The end."]
    path = write(tmp_path, [json.dumps({"body": text, "other": 1}) for text in documents] + ["{"], "text.jsonl")
    prepare_corpus([path], tmp_path / "out", Settings(json_field="body", min_count=1, held_out=0.0))
    corpus = PreparedCorpus.open(tmp_path / "out")
    expected = ["The cat sat .", "On the mat .", "It slept .", "The end ."]
    assert sorted(sentences(corpus, "train")) == sorted(expected)
    assert corpus.description["oddities"]["unusable_lines"] == 1


def test_id_lines_are_prepared_by_their_vocabulary(tmp_path):
    vocabulary = write(tmp_path, ["[PAD]", "[CLS]", "[SEP]", "我", "来"], "vocab.txt")
    path = write(tmp_path, ["1 3 4 2 4 2 0;0 0 0 0 1 1 0;0 1 2 3 4 5 0;0", "9;0;0;0"], "ids.txt")
    prepare_corpus([path], tmp_path / "out", settings(id_vocabulary=vocabulary, min_count=1, held_out=0.0))
    corpus = PreparedCorpus.open(tmp_path / "out")
    assert sorted(sentences(corpus, "train")) == ["我 来", "来"]
    assert corpus.description["oddities"]["unusable_lines"] == 1


def test_at_least_one_sentence_is_held_out_if_any_are_asked_for(tmp_path):
    corpus = prepared(tmp_path, held_out=1e-9)
    assert len(list(sentences(corpus, "heldout"))) == 1


def test_nothing_is_held_out_if_none_is_asked_for(tmp_path):
    corpus = prepared(tmp_path, held_out=0.0)
    assert sorted(sentences(corpus, "train")) == sorted(LINES)
    assert list(corpus.description["splits"]) == ["train"]
    assert not (corpus.directory / "heldout").exists()


def test_the_description_tells_hashes_of_input_and_output(tmp_path):
    corpus = prepared(tmp_path)
    data = (tmp_path / "text.txt").read_bytes()
    assert corpus.description["inputs"] == [
        {"name": str(tmp_path / "text.txt"), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    ]
    files = snapshot(corpus.directory)
    assert corpus.description["sha256"] == {
        str(name): hashlib.sha256(content).hexdigest() for name, content in files.items() if name.name != "corpus.json"
    }
    assert corpus.description["settings"] == settings().to_dict()


def test_odd_input_is_kept_or_counted(tmp_path):
    long_token, long_sentence = "x" * 10_000, " ".join(["w"] * 5_000)
    data = "\ufeffone two .\r\n\r\n<S> one\x00 </S>\n" + long_token + " one\n" + long_sentence + "\n"
    corpus = prepared(tmp_path, data.encode() + b"bad \xff line\none two .\n" * 3, min_count=1, held_out=0.0)
    found = list(sentences(corpus, "train"))
    expected = ["one two .", "<S> one </S>", f"{long_token} one", long_sentence, *["one two ."] * 3]
    assert sorted(found) == sorted(expected)
    assert corpus.description["oddities"] == {
        "undecodable_files": 0,
        "undecodable_lines": 3,
        "unusable_lines": 0,
        "nul_characters": 1,
        "byte_order_marks": 1,
        "carriage_returns": 2,
        "blank_lines": 1,
        "overlong_lines_cut": 0,
        "literal_special_tokens": 2,
    }
    assert corpus.description["longest_sentence"] == 5_000
    assert corpus.description["longest_token_bytes"] == 10_000
    assert corpus.description["splits"]["train"]["tokens_cut_at_character_width"] == 1


def test_a_literal_special_token_takes_the_special_id(tmp_path):
    corpus = prepared(tmp_path, ["<S> a </S>", "a <UNK>"], min_count=1, held_out=0.0)
    assert sorted(sentences(corpus, "train")) == ["<S> a </S>", "a <UNK>"]
    assert corpus.types() == [*SPECIALS, "a"]
    assert corpus.description["splits"]["train"]["out_of_vocabulary_tokens"] == 1


def test_tokens_longer_than_the_character_width_are_counted_in_bytes(tmp_path):
    corpus = prepared(tmp_path, ["字" * 16 + " a", "字" * 17 + " a"], held_out=0.0)
    assert corpus.description["splits"]["train"]["tokens_cut_at_character_width"] == 1


def test_undecodable_lines_are_shown_up_to_a_number_and_all_named_in_a_file(tmp_path, caplog, monkeypatch):
    monkeypatch.setitem(prepare._BLOCK_BYTES, "whitespace", 150)
    with caplog.at_level("WARNING"):
        corpus = prepared(tmp_path, b"fine line here\n" * 9 + b"\xff\n" * 30)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == SHOWN_REPORTS + 1
    assert "text.txt:10: byte 135 (0xff) is not UTF-8" in messages[0]
    counted = "30 lines or files could not be used and are skipped; the first 3 are named above, more in skipped.txt"
    assert messages[-1] == counted
    named = (corpus.directory / "skipped.txt").read_text(encoding="utf-8").splitlines()
    expected = [f"text.txt:{10 + i}: byte {135 + 2 * i} (0xff) is not UTF-8 (invalid start byte)" for i in range(30)]
    assert [line.replace(f"{tmp_path}/", "") for line in named] == expected
    assert "skipped.txt" in corpus.description["sha256"]


@pytest.mark.parametrize("processes", [1, 2])
def test_a_file_in_utf_16_does_not_stop_the_rest(tmp_path, caplog, processes):
    paths = [tmp_path / f"{name}.txt" for name in ("a", "b", "c")]
    for path, encoding in zip(paths, ("utf-8", "utf-16", "utf-8")):
        path.write_text("one two .\n" * 9, encoding=encoding)
    inputs, work = [str(path) for path in paths], Work(processes=processes)
    with caplog.at_level("WARNING"):
        found = prepare_corpus(inputs, tmp_path / "out", settings(held_out=0.0), work)
    assert (found["sentences"], found["oddities"]["undecodable_files"]) == (18, 1)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "b.txt:1: byte 0 (0xff) begins a UTF-16 byte order mark" in message
    assert "b.txt:1: byte 0" in (tmp_path / "out" / "skipped.txt").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="b.txt:1: byte 0 .*leave --strict out"):
        prepare_corpus(inputs, tmp_path / "strict", settings(held_out=0.0), Work(strict=True, processes=processes))


def test_a_file_name_that_is_not_utf_8_is_told_as_it_is(tmp_path):
    path = tmp_path / os.fsdecode(b"\xff.txt")
    path.write_bytes(b"one two .\none two .\n\xff\n")
    prepare_corpus([str(path)], tmp_path / "out", settings(held_out=0.0))
    corpus = PreparedCorpus.open(tmp_path / "out")
    assert corpus.description["inputs"][0]["name"] == str(path)
    assert "\\udcff.txt:3: byte 20" in (tmp_path / "out" / "skipped.txt").read_text(encoding="utf-8")


def test_an_unknown_engine_is_named():
    with pytest.raises(ValueError, match="engine: expected one of processes, ray; got 'spark'"):
        Work(engine="spark")


def test_a_missing_engine_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match="engine: ray is not installed: pip install ray; or use the engine processes"):
        prepare_corpus([write(tmp_path, LINES)], tmp_path / "out", settings(), Work(engine="ray"))
    assert [entry.name for entry in tmp_path.iterdir()] == ["text.txt"]


def test_no_process_at_all_is_an_error():
    with pytest.raises(ValueError, match="processes: expected at least 1; got 0"):
        Work(processes=0)


def test_strict_stops_at_an_undecodable_line_and_leaves_nothing(tmp_path):
    path = write(tmp_path, b"fine\n\xff\n")
    with pytest.raises(ValueError, match="text.txt:2: byte 5"):
        prepare_corpus([path], tmp_path / "out", settings(), Work(strict=True))
    assert [entry.name for entry in tmp_path.iterdir()] == ["text.txt"]


def test_a_full_disk_is_an_error_and_what_is_done_stays(tmp_path, monkeypatch):
    def allocate(descriptor, offset, length):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = write(tmp_path, LINES)
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", allocate)
        with pytest.raises(OSError, match="No space left on device"):
            prepare_corpus([path], tmp_path / "out", settings())
    assert not (tmp_path / "out").exists()
    assert (unfinished_directory(tmp_path / "out") / "scratch" / "000000.json").exists()
    prepare_corpus([path], tmp_path / "out", settings())
    prepare_corpus([path], tmp_path / "fresh", settings())
    assert snapshot(tmp_path / "out") == snapshot(tmp_path / "fresh")


@pytest.mark.parametrize("data, reason", [(b"", "it is empty"), (b"\n \n", "met blank_lines: 2")])
def test_input_without_a_sentence_is_an_error(tmp_path, data, reason):
    with pytest.raises(ValueError, match=f"text.txt: no sentence in it; {reason}"):
        prepared(tmp_path, data)


def test_a_single_sentence_cannot_be_split(tmp_path):
    with pytest.raises(ValueError, match="held_out: the text has a single sentence"):
        prepared(tmp_path, ["one two"])


def test_holding_out_everything_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="held_out: 0.999999 of 2 sentences leaves none to train on"):
        prepared(tmp_path, ["one two", "one three"], held_out=0.999999)


def test_a_vocabulary_without_words_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="min_count: none of the 4 words of the text occurs at least 9 times"):
        prepared(tmp_path, ["one two", "three four"], min_count=9, held_out=0.0)


def test_an_existing_output_is_refused_before_any_work(tmp_path):
    prepared(tmp_path)
    with pytest.raises(ValueError, match="out: already exists. Use --force"):
        prepare_corpus(["absent"], tmp_path / "out", settings())


def test_an_output_that_holds_an_input_is_refused(tmp_path):
    path = write(tmp_path, LINES)
    (tmp_path / "corpus.json").touch()
    with pytest.raises(ValueError, match="text.txt: an input lies in .*, which is to be replaced"):
        prepare_corpus([path], tmp_path, settings(), Work(force=True))


def test_what_is_no_prepared_corpus_is_never_replaced(tmp_path):
    path = write(tmp_path, LINES)
    documents = tmp_path / "documents"
    documents.mkdir()
    prepare_corpus([path], documents, settings(), Work(force=True))
    (documents / "corpus.json").rename(documents / "thesis.doc")
    for prepare_it in (prepare_corpus, prepare.prepare_vocabulary):
        with pytest.raises(ValueError, match="documents: is not a prepared corpus.* --force replaces prepared corpora"):
            prepare_it([path], documents, settings(), Work(force=True))
    assert (documents / "thesis.doc").is_file()


def test_a_directory_that_is_not_a_prepared_corpus_is_named(tmp_path):
    with pytest.raises(ValueError, match="expected a prepared corpus, but there is no corpus.json.*elmo-prepare"):
        PreparedCorpus.open(tmp_path)


def test_another_version_of_the_form_is_named(tmp_path):
    (tmp_path / "corpus.json").write_text(json.dumps({"format_version": 99}))
    with pytest.raises(ValueError, match="expected format_version 1, found 99; prepare it again"):
        PreparedCorpus.open(tmp_path)
