"""The windows of `Streams`, put together again and held against the sentences they came from."""

from collections import Counter
from typing import List, NamedTuple

import numpy
import pytest

from elmo_plugin.bilm.streams import Streams, check_descending_counts, encode_sentences
from elmo_plugin.bilm.vocabulary import WordVocabulary

VOCABULARY = WordVocabulary(["<S>", "</S>", "<UNK>", *"abcdefgh"])


class Step(NamedTuple):
    """One step of one direction: the word that is read and the id of the word that is to come."""

    word: str
    target: int


def expected_steps(sentence, is_forward) -> List[Step]:
    """Written down from the definition: `<S> w1 … wn` and `w1 … wn </S>`; backward, `</S> wn … w1` and `wn … w1 <S>`."""
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
            assert (inputs.shape, targets.shape, inputs.dtype, targets.dtype) == (shape, shape, numpy.int64, numpy.int64)
            for row, length in enumerate(lengths):
                words = [text.words[number] for number in window.types[inputs[row, :length]]]
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


@pytest.mark.parametrize("case", range(40))
def test_each_sentence_is_read_once_in_either_direction_by_one_row_on_one_worker(case):
    rng = numpy.random.default_rng(case)
    sentences = random_text(rng, rng.integers(1, 30))
    num_rows, num_steps, num_parts = (int(n) for n in rng.integers(1, [7, 9, 4]))
    seed = None if case % 2 else (1, case)
    text = encode_sentences(sentences, VOCABULARY)
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
    assert sum(len(forward) for s in parts for forward, _ in rows_of(text, s)) == text.num_targets


def test_the_first_steps_are_those_of_the_documentation():
    text = encode_sentences([["a", "x", "b"], ["c"]], VOCABULARY)
    window = next(iter(Streams(text, num_rows=1, num_steps=6)))
    assert [text.words[t] for t in window.types[window.forward_inputs[0]]] == ["<S>", "a", "x", "b", "<S>", "c"]
    assert window.forward_targets.tolist() == [[3, 2, 4, 1, 5, 1]]
    assert [text.words[t] for t in window.types[window.backward_inputs[0]]] == ["</S>", "b", "x", "a", "</S>", "c"]
    assert window.backward_targets.tolist() == [[4, 2, 3, 0, 5, 0]]
    assert window.lengths is None


def test_rows_are_runs_of_text_as_even_as_sentences_allow():
    text = encode_sentences([["a"] * length for length in (3, 5, 2, 8, 1, 4, 4, 2)], VOCABULARY)
    lengths = [len(forward) for forward, _ in rows_of(text, Streams(text, 3, 4))]
    assert sum(lengths) == text.num_targets == 37
    # No cut lies further from its even place than half the longest sentence.
    assert numpy.abs(numpy.cumsum(lengths) - 37 / 3 * numpy.arange(1, 4)).max() <= 4.5


def test_a_window_is_ragged_only_where_rows_have_ended():
    text = encode_sentences([["a"] * 3, ["b"] * 9], VOCABULARY)
    windows = list(Streams(text, num_rows=2, num_steps=4))
    assert [None if w.lengths is None else w.lengths.tolist() for w in windows] == [None, [0, 4], [0, 2]]


def test_fewer_sentences_than_rows_leave_rows_empty():
    text = encode_sentences([["a", "b"]], VOCABULARY)
    streams = Streams(text, num_rows=5, num_steps=2)
    lengths = [len(forward) for forward, _ in rows_of(text, streams)]
    assert len(streams) == 2 and sorted(lengths) == [0, 0, 0, 0, 3]


def test_a_worker_whose_rows_are_all_empty_has_as_many_windows_as_the_others():
    text = encode_sentences([["a", "b", "c"]], VOCABULARY)
    parts = [Streams(text, 2, 2, None, part, 3) for part in range(3)]
    assert [len(list(streams)) for streams in parts] == [2, 2, 2]
    lengths = [[len(forward) for forward, _ in rows_of(text, streams)] for streams in parts]
    assert sorted(sum(lengths, [])) == [0, 0, 0, 0, 0, 4]


def test_an_empty_sentence_is_its_boundaries():
    text = encode_sentences([[], ["a"], []], VOCABULARY)
    [(forward, backward)] = rows_of(text, Streams(text, 1, 3))
    assert forward == [("<S>", 1), ("<S>", 3), ("a", 1), ("<S>", 1)]
    assert backward == [("</S>", 0), ("</S>", 3), ("a", 0), ("</S>", 0)]


def test_a_text_of_empty_sentences_alone_is_read_too():
    text = encode_sentences([[], []], VOCABULARY)
    [(forward, _)] = rows_of(text, Streams(text, 1, 3))
    assert forward == [("<S>", 1), ("<S>", 1)]


def test_no_text_has_no_windows():
    assert list(Streams(encode_sentences([], VOCABULARY), 2, 3)) == []


def test_windows_from_the_middle_on_are_those_of_the_whole_pass():
    text = encode_sentences(random_text(numpy.random.default_rng(0), 50), VOCABULARY)
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
    text = encode_sentences(sentences, VOCABULARY)

    def order(seed):
        return [s for forward, _ in rows_of(text, Streams(text, 2, 5, seed)) for s in sentences_of(forward, True)]

    assert order(None) == sentences
    assert order((1, 0)) == order((1, 0))
    orders = [order((1, 0)), order((1, 1)), order((2, 0)), sentences]
    assert len(set(map(tuple, orders))) == 4
    assert all(sorted(shuffled) == sentences for shuffled in orders)


def test_what_a_row_reads_does_not_depend_on_the_length_of_windows():
    text = encode_sentences(random_text(numpy.random.default_rng(3), 20), VOCABULARY)
    assert rows_of(text, Streams(text, 3, 1)) == rows_of(text, Streams(text, 3, 7)) == rows_of(text, Streams(text, 3, 500))


def test_a_sentence_longer_than_many_windows_is_read_whole():
    long = tuple("abcdefgh"[number % 8] for number in range(5000))
    text = encode_sentences([("a",), long, ("b",)], VOCABULARY)
    rows = rows_of(text, Streams(text, 2, 20))
    assert sum((sentences_of(forward, True) for forward, _ in rows), []) == [("a",), long, ("b",)]


def test_types_of_the_vocabulary_keep_their_ids_and_others_follow():
    text = encode_sentences([["b", "x", "a"], ["yy", "x"]], VOCABULARY)
    assert text.words == [*VOCABULARY.words, "x", "yy"]
    assert (text.vocabulary_size, text.num_sentences, text.num_tokens, text.num_targets) == (11, 2, 5, 7)
    assert text.type_ids.tolist() == [4, 11, 3, 12, 11] and text.offsets.tolist() == [0, 3, 5]
    assert VOCABULARY.words[-1] == "h"


def zipfian(num_words=2000, num_tokens=60000):
    """A text whose words, w0 above all, are as frequent as Zipf's law says."""
    rng = numpy.random.default_rng(0)
    weights = 1 / numpy.arange(1, num_words + 1)
    return [[f"w{number}"] for number in rng.choice(num_words, size=num_tokens, p=weights / weights.sum())]


def in_order(order, text):
    counts = Counter(word for sentence in text for word in sentence)
    if order == "ascending":
        return [word for word, _ in reversed(counts.most_common())]
    if order == "alphabetical":
        return sorted(counts, key=lambda word: word[::-1])
    if order == "first occurrence":
        return list(counts)
    return [word for word, _ in counts.most_common()]


@pytest.mark.parametrize("order", ["ascending", "alphabetical"])
def test_a_vocabulary_out_of_order_is_refused(order):
    text = zipfian()
    encoded = encode_sentences(text, WordVocabulary(["<S>", "</S>", "<UNK>", *in_order(order, text)]))
    with pytest.raises(ValueError, match=r"^words.txt is not in descending order .* [\d.]+ times .*Sort the file"):
        check_descending_counts(encoded, "words.txt")


def test_on_real_text_the_order_of_first_occurrence_is_told_from_the_sorted_vocabulary_of_another_text(shared_data):
    with open(shared_data / "lm_en" / "wikitext-2" / "valid.txt", encoding="utf-8") as file:
        text = [line.split() for line in file]
    specials = ["<S>", "</S>", "<UNK>"]
    with pytest.raises(ValueError, match="words.txt is not in descending order"):
        vocabulary = WordVocabulary([*specials, *in_order("first occurrence", text)])
        check_descending_counts(encode_sentences(text, vocabulary), "words.txt")
    with open(shared_data / "ner_en" / "wnut17" / "wnut17train.conll", encoding="utf-8") as file:
        tweets = [line.split()[:1] for line in file]
    for one, other in ((text, tweets), (tweets, text)):
        vocabulary = WordVocabulary([*specials, *in_order("descending", one)])
        check_descending_counts(encode_sentences(other, vocabulary), "words.txt")


def test_a_vocabulary_in_order_passes_its_own_text_and_one_of_another_kind():
    text = zipfian()
    vocabulary = WordVocabulary(["<S>", "</S>", "<UNK>", *in_order("descending", text)])
    check_descending_counts(encode_sentences(text, vocabulary), "words.txt")
    # Half of the words are three times as frequent as they were.
    other = [sentence for sentence in text for _ in range(3 if int(sentence[0][1:]) % 2 else 1)]
    check_descending_counts(encode_sentences(other, vocabulary), "words.txt")


def test_a_text_too_short_to_tell_passes():
    text = zipfian()
    vocabulary = WordVocabulary(["<S>", "</S>", "<UNK>", *in_order("ascending", text)])
    check_descending_counts(encode_sentences(text[:1500], vocabulary), "words.txt")
