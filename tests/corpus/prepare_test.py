import hashlib
import json
from collections import Counter

import numpy as np
import pytest

from elmo_plugin.corpus import prepare, types
from elmo_plugin.corpus.prepare import prepare_corpus
from elmo_plugin.corpus.prepared import PreparedCorpus
from elmo_plugin.corpus.settings import SPECIALS, Settings

LINES = [f"the cat number {i} sat on the {'mat' if i % 3 else 'roof'} word{i // 4} ." for i in range(60)]


def write(tmp_path, data, name="text.txt"):
    if isinstance(data, list):
        data = "".join(line + "\n" for line in data)
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def settings(**changes):
    return Settings(**{"segmenter": "whitespace", "presplit": True, "held_out": 0.1, "min_count": 2, **changes})


def prepared(tmp_path, data=LINES, name="out", **changes):
    prepare_corpus([write(tmp_path, data)], tmp_path / name, settings(**changes))
    return PreparedCorpus.open(tmp_path / name)


def sentences(corpus, split):
    words = corpus.types()
    for shard in corpus.shards(split):
        from_ids = [
            " ".join(words[i] for i in shard.ids[begin:end]) for begin, end in zip(shard.offsets, shard.offsets[1:])
        ]
        assert shard.text.read_text(encoding="utf-8").split("\n")[:-1] == from_ids
        yield from from_ids


def snapshot(directory):
    return {path.relative_to(directory): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


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
    shard = next(prepared(tmp_path).shards("train"))
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
    monkeypatch.setattr(types, "TYPES_PER_PART", 7)
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
    assert sorted(found) == sorted(["one two .", "<S> one </S>", f"{long_token} one", long_sentence, *["one two ."] * 3])
    assert corpus.description["oddities"] == {
        "undecodable_lines": 3,
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


def test_undecodable_lines_are_reported_up_to_a_number(tmp_path, caplog):
    with caplog.at_level("WARNING"):
        prepared(tmp_path, b"fine line here\n" * 9 + b"\xff\n" * 30)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == prepare.MAX_REPORTS + 1
    assert "text.txt:10: byte 135 (0xff) is not UTF-8" in messages[0]
    assert "30 lines were not UTF-8" in messages[-1]


def test_strict_stops_at_an_undecodable_line_and_leaves_nothing(tmp_path):
    path = write(tmp_path, b"fine\n\xff\n")
    with pytest.raises(ValueError, match="text.txt:2: byte 5"):
        prepare_corpus([path], tmp_path / "out", settings(), strict=True)
    assert [entry.name for entry in tmp_path.iterdir()] == ["text.txt"]


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


def test_a_directory_that_is_not_a_prepared_corpus_is_named(tmp_path):
    with pytest.raises(ValueError, match="expected a prepared corpus, but there is no corpus.json.*elmo-prepare"):
        PreparedCorpus.open(tmp_path)


def test_another_version_of_the_form_is_named(tmp_path):
    (tmp_path / "corpus.json").write_text(json.dumps({"format_version": 99}))
    with pytest.raises(ValueError, match="expected format_version 1, found 99; prepare it again"):
        PreparedCorpus.open(tmp_path)
