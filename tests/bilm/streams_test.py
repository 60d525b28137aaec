"""The windows of `Streams`, put together again and held against the sentences they came from."""

from typing import List, NamedTuple

import numpy
import pytest

from elmo_plugin.bilm import streams as streams_module
from elmo_plugin.bilm.encoded_text import encode_text
from elmo_plugin.bilm.streams import Streams
from elmo_plugin.bilm.vocabulary import WordVocabulary
from tests.bilm.small_models import num_targets

VOCABULARY = WordVocabulary(["<S>", "</S>", "<UNK>", *"abcdefgh"])


class Step(NamedTuple):
    """One step of one direction: the word that is read and the id of the word that is to come."""

    word: str
    target: int


def expected_steps(sentence, is_forward) -> List[Step]:
    """Written down from the definition: `<S> w1 … wn` and `w1 … wn </S>`; backward `</S> wn … w1` and `wn … w1 <S>`."""
    words = sentence if is_forward else sentence[::-1]
    first, last = ("<S>", "</S>") if is_forward else ("</S>", "<S>")
    ids = VOCABULARY.encode([*words, last]).tolist()
    return [Step(word, target) for word, target in zip([first, *words], ids)]


def rows_of(text, streams, windows=None):
    """Every step of every row, (forward, backward), with the shapes of all windows checked on the way."""
    rows = [([], []) for _ in range(streams.num_rows)]
    for window in streams if windows is None else windows:
        shape = (streams.num_rows, streams.num_steps)
        assert len(set(window.types.tolist())) == len(window.types)
        lengths = [streams.num_steps] * streams.num_rows if window.lengths is None else window.lengths.tolist()
        for direction, inputs, targets in (
            (0, window.forward_inputs, window.forward_targets),
            (1, window.backward_inputs, window.backward_targets),
        ):
            assert inputs.shape == targets.shape == shape
            assert inputs.dtype == targets.dtype == numpy.int64
            for row, length in enumerate(lengths):
                words = text.types.words(window.types[inputs[row, :length]])
                rows[row][direction].extend(map(Step, words, targets[row, :length].tolist()))
    return rows


def sentences_of(steps, is_forward):
    """The sentences of one row; each of its steps is accounted for."""
    found, begin = [], 0
    for number, step in enumerate(steps, 1):
        if step.target == (1 if is_forward else 0):
            words = [step.word for step in steps[begin + 1 : number]]
            sentence = words if is_forward else words[::-1]
            assert steps[begin:number] == expected_steps(sentence, is_forward)
            found.append(tuple(sentence))
            begin = number
    assert begin == len(steps), "a row ends within a sentence"
    return found


def random_text(rng, num_sentences, longest=9):
    """Sentences, some of them empty, of words in and outside the vocabulary."""
    alphabet = [*"abcdefgh", "x", "yy", "zzz", "<UNK>"]
    return [tuple(rng.choice(alphabet, size=rng.integers(0, longest)).tolist()) for _ in range(num_sentences)]


def in_shards(rng, sentences, num_shards):
    """A run of the sentences for each, some of them empty."""
    cuts = [0, *sorted(rng.integers(0, len(sentences) + 1, num_shards - 1).tolist()), len(sentences)]
    return [sentences[begin:end] for begin, end in zip(cuts, cuts[1:])]


@pytest.fixture
def small_groups(monkeypatch):
    """Every two or three shards of the tests are shuffled together, and little is read at once."""
    monkeypatch.setattr(streams_module, "TOKENS_PER_GROUP", 40)
    monkeypatch.setattr(streams_module, "_STEPS_PER_BLOCK", 30)


@pytest.mark.parametrize("case", range(60))
def test_each_sentence_is_read_once_in_either_direction_by_one_row_on_one_worker(case, small_groups):
    rng = numpy.random.default_rng(case)
    sentences = random_text(rng, rng.integers(1, 60))
    num_rows, num_steps, num_parts = (int(n) for n in rng.integers(1, [7, 9, 4]))
    seed = None if case % 2 else (1, case)
    text = encode_text(in_shards(rng, sentences, case % 9 + 1), VOCABULARY)
    parts = [Streams(text, num_rows, num_steps, seed, part, num_parts) for part in range(num_parts)]
    assert len({len(streams) for streams in parts}) == 1
    seen = []
    for streams in parts:
        windows = list(streams)
        assert len(windows) == len(streams)
        for forward, backward in rows_of(text, streams, windows):
            of_row = sentences_of(forward, is_forward=True)
            assert sentences_of(backward, is_forward=False) == of_row
            seen += of_row
    assert sorted(seen) == sorted(sentences)
    if seed is None:
        assert seen == sentences
    assert sum(len(forward) for s in parts for forward, _ in rows_of(text, s)) == num_targets(text)


def test_the_first_steps_are_those_of_the_documentation():
    text = encode_text([[["a", "x", "b"], ["c"]]], VOCABULARY)
    window = next(iter(Streams(text, num_rows=1, num_steps=6)))
    assert text.types.words(window.types[window.forward_inputs[0]]) == ["<S>", "a", "x", "b", "<S>", "c"]
    assert window.forward_targets.tolist() == [[3, 2, 4, 1, 5, 1]]
    assert text.types.words(window.types[window.backward_inputs[0]]) == ["</S>", "b", "x", "a", "</S>", "c"]
    assert window.backward_targets.tolist() == [[4, 2, 3, 0, 5, 0]]
    assert window.lengths is None


def test_rows_are_runs_of_text_as_even_as_sentences_allow():
    text = encode_text([[["a"] * length for length in (3, 5, 2, 8, 1, 4, 4, 2)]], VOCABULARY)
    lengths = [len(forward) for forward, _ in rows_of(text, Streams(text, 3, 4))]
    assert sum(lengths) == num_targets(text) == 37
    # No cut lies further from its even place than half the longest sentence.
    assert numpy.abs(numpy.cumsum(lengths) - 37 / 3 * numpy.arange(1, 4)).max() <= 4.5


def test_a_window_is_ragged_only_where_rows_have_ended():
    text = encode_text([[["a"] * 3, ["b"] * 9]], VOCABULARY)
    windows = list(Streams(text, num_rows=2, num_steps=4))
    assert [None if w.lengths is None else w.lengths.tolist() for w in windows] == [None, [0, 4], [0, 2]]


def test_fewer_sentences_than_rows_leave_rows_empty():
    text = encode_text([[["a", "b"]]], VOCABULARY)
    streams = Streams(text, num_rows=5, num_steps=2)
    lengths = [len(forward) for forward, _ in rows_of(text, streams)]
    assert len(streams) == 2 and sorted(lengths) == [0, 0, 0, 0, 3]


def test_a_worker_whose_rows_are_all_empty_has_as_many_windows_as_the_others():
    text = encode_text([[["a", "b", "c"]]], VOCABULARY)
    parts = [Streams(text, 2, 2, None, part, 3) for part in range(3)]
    assert [len(list(streams)) for streams in parts] == [2, 2, 2]
    lengths = [[len(forward) for forward, _ in rows_of(text, streams)] for streams in parts]
    assert sorted(sum(lengths, [])) == [0, 0, 0, 0, 0, 4]


def test_an_empty_sentence_is_its_boundaries():
    text = encode_text([[[], ["a"], []]], VOCABULARY)
    [(forward, backward)] = rows_of(text, Streams(text, 1, 3))
    assert forward == [("<S>", 1), ("<S>", 3), ("a", 1), ("<S>", 1)]
    assert backward == [("</S>", 0), ("</S>", 3), ("a", 0), ("</S>", 0)]


def test_a_text_of_empty_sentences_alone_is_read_too():
    text = encode_text([[[], []]], VOCABULARY)
    [(forward, _)] = rows_of(text, Streams(text, 1, 3))
    assert forward == [("<S>", 1), ("<S>", 1)]


def test_no_text_has_no_windows():
    assert list(Streams(encode_text([[]], VOCABULARY), 2, 3)) == []


def test_windows_from_the_middle_on_are_those_of_the_whole_pass():
    text = encode_text([random_text(numpy.random.default_rng(0), 50)], VOCABULARY)
    streams = Streams(text, 3, 5, seed=(7, 0))
    whole = list(streams)
    for first in (0, 1, len(streams) // 2, len(streams) - 1, len(streams)):
        rest = list(streams.from_window(first))
        assert len(rest) == len(whole) - first
        for ours, expected in zip(rest, whole[first:]):
            for one, other in zip(ours, expected):
                assert numpy.array_equal(one, other)


def test_a_seed_shuffles_sentences_the_same_way_each_time_and_another_seed_otherwise():
    sentences = [("a",) * length for length in range(30)]
    text = encode_text([sentences], VOCABULARY)

    def order(seed):
        return [s for forward, _ in rows_of(text, Streams(text, 2, 5, seed)) for s in sentences_of(forward, True)]

    assert order(None) == sentences
    assert order((1, 0)) == order((1, 0))
    orders = [order((1, 0)), order((1, 1)), order((2, 0)), sentences]
    assert len(set(map(tuple, orders))) == 4
    assert all(sorted(shuffled) == sentences for shuffled in orders)


def test_what_a_row_reads_does_not_depend_on_the_length_of_windows():
    text = encode_text([random_text(numpy.random.default_rng(3), 20)], VOCABULARY)
    short, longer, whole = (rows_of(text, Streams(text, 3, num_steps)) for num_steps in (1, 7, 500))
    assert short == longer == whole


def test_a_sentence_longer_than_many_windows_is_read_whole():
    long = tuple("abcdefgh"[number % 8] for number in range(5000))
    text = encode_text([[("a",), long, ("b",)]], VOCABULARY)
    rows = rows_of(text, Streams(text, 2, 20))
    assert sum((sentences_of(forward, True) for forward, _ in rows), []) == [("a",), long, ("b",)]


@pytest.mark.parametrize("num_shards", [1, 2, 17])
def test_unshuffled_text_is_the_same_in_any_number_of_shards(num_shards, small_groups):
    rng = numpy.random.default_rng(5)
    sentences = random_text(rng, 60)
    whole, parts = (encode_text(t, VOCABULARY) for t in ([sentences], in_shards(rng, sentences, num_shards)))
    for ours, expected in zip(Streams(parts, 4, 6), Streams(whole, 4, 6), strict=True):
        assert_same_window(ours, expected)


def assert_same_window(ours, expected):
    for one, other in zip(ours, expected, strict=True):
        assert numpy.array_equal(one, other)


def test_shards_are_read_in_random_order_some_together_with_their_sentences_mixed(small_groups):
    shards = [[(letter, str(number)) for number in range(12)] for letter in "abcdefgh"]
    text = encode_text(shards, VOCABULARY)

    def order(seed):
        [(forward, _)] = rows_of(text, Streams(text, 1, 5, seed))
        return sentences_of(forward, True)

    # A shard has 24 tokens, so two of them are a group, and there are four groups.
    orders = [order((1, epoch)) for epoch in range(20)]
    for sentences in orders:
        groups = [sentences[begin : begin + 24] for begin in range(0, 96, 24)]
        assert all(len({letter for letter, _ in group}) == 2 for group in groups)
        assert all(len({letter for letter, _ in group[:12]}) == 2 for group in groups)
        assert sorted(sentences) == sorted(sum(shards, []))
    # Over the epochs, any shard comes first, and with any other.
    assert len({sentences[0][0] for sentences in orders}) >= 7
    assert len({frozenset(letter for letter, _ in sentences[:24]) for sentences in orders}) > 12


def test_rows_stay_even_over_many_groups(small_groups):
    rng = numpy.random.default_rng(2)
    text = encode_text([random_text(rng, 20) for _ in range(50)], VOCABULARY)
    streams = Streams(text, 8, 5, seed=(3, 1))
    assert len(streams._groups) > 20
    lengths = [len(forward) for forward, _ in rows_of(text, streams)]
    # A sentence takes up to 9 steps, and every cut lies within half of that of its place.
    assert numpy.abs(numpy.cumsum(lengths) - num_targets(text) / 8 * numpy.arange(1, 9)).max() <= 4.5


def test_windows_from_the_middle_on_are_those_of_the_whole_pass_over_many_groups(small_groups):
    rng = numpy.random.default_rng(4)
    text = encode_text([random_text(rng, 20) for _ in range(20)], VOCABULARY)
    whole = list(Streams(text, 3, 7, (1, 2)))
    for first in (0, 1, len(whole) // 3, len(whole) - 1):
        for ours, expected in zip(Streams(text, 3, 7, (1, 2)).from_window(first), whole[first:], strict=True):
            assert_same_window(ours, expected)


def test_two_passes_at_a_time_do_not_disturb_each_other(small_groups):
    rng = numpy.random.default_rng(4)
    text = encode_text([random_text(rng, 20) for _ in range(9)], VOCABULARY)
    streams = Streams(text, 3, 4, (1, 2))
    alone = list(streams)
    for one, other, expected in zip(streams, streams, alone, strict=True):
        assert_same_window(one, expected)
        assert_same_window(other, expected)


def test_types_stand_in_the_order_of_their_first_occurrence_whatever_their_numbers():
    text = encode_text([[["c", "zzz", "a", "zzz", "b"]]], VOCABULARY)
    [window] = Streams(text, 1, 8)
    assert text.types.words(window.types) == ["<S>", "c", "zzz", "a", "b", "</S>"]


def test_the_memory_of_a_pass_is_that_of_two_groups(small_groups):
    text = encode_text([random_text(numpy.random.default_rng(4), 20) for _ in range(30)], VOCABULARY)
    streams = Streams(text, 3, 4, (1, 2))
    for _ in streams:
        assert len(streams._orders) <= 2


@pytest.mark.parametrize("seed", [None, (1, 2)])
@pytest.mark.parametrize("foreign", [-1, -7, 99])
def test_a_token_that_is_no_type_is_an_error_that_names_the_shard(seed, foreign):
    text = encode_text([[["a", "b"]], [["a"], ["c", "d"]]], VOCABULARY)
    broken = text.shards[1].type_ids.copy()
    broken[2] = foreign
    text = text._replace(shards=[text.shards[0], text.shards[1]._replace(type_ids=broken, source="00001.ids.npy")])
    message = f"^00001.ids.npy holds the type {foreign}, but there are types from 0 to 10 only"
    with pytest.raises(ValueError, match=message):
        list(Streams(text, 2, 3, seed))
