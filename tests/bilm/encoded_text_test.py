"""A text as numbers."""

from collections import Counter

import numpy
import pytest

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.encoded_text import check_descending_counts, encode_text
from elmo_plugin.bilm.vocabulary import WordVocabulary

VOCABULARY = WordVocabulary(["<S>", "</S>", "<UNK>", *"abcdefgh"])


def test_types_of_the_vocabulary_keep_their_ids_and_others_follow():
    text = encode_text([[["b", "x", "a"], ["yy", "x"]], [["x"]]], VOCABULARY)
    assert text.types.words(range(len(text.types))) == [*VOCABULARY.words, "x", "yy"]
    assert (text.vocabulary_size, text.num_sentences, text.num_tokens) == (11, 3, 6)
    assert [shard.type_ids.tolist() for shard in text.shards] == [[4, 11, 3, 12, 11], [11]]
    assert [shard.offsets.tolist() for shard in text.shards] == [[0, 3, 5], [0, 1]]
    assert {str(shard.type_ids.dtype) for shard in text.shards} == {"int32"}
    assert {str(shard.offsets.dtype) for shard in text.shards} == {"int64"}
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
    encoded = encode_text([text], WordVocabulary(["<S>", "</S>", "<UNK>", *in_order(order, text)]))
    with pytest.raises(ValueError, match=r"^words.txt is not in descending order .* [\d.]+ times .*Sort the file"):
        check_descending_counts(encoded, "words.txt")


def test_on_real_text_the_order_of_first_occurrence_is_told_from_the_sorted_vocabulary_of_another_text(shared_data):
    with open(shared_data / "lm_en" / "wikitext-2" / "valid.txt", encoding="utf-8") as file:
        text = [line.split() for line in file]
    specials = ["<S>", "</S>", "<UNK>"]
    with pytest.raises(ValueError, match="words.txt is not in descending order"):
        vocabulary = WordVocabulary([*specials, *in_order("first occurrence", text)])
        check_descending_counts(encode_text([text], vocabulary), "words.txt")
    with open(shared_data / "ner_en" / "wnut17" / "wnut17train.conll", encoding="utf-8") as file:
        tweets = [line.split()[:1] for line in file]
    for one, other in ((text, tweets), (tweets, text)):
        vocabulary = WordVocabulary([*specials, *in_order("descending", one)])
        check_descending_counts(encode_text([other], vocabulary), "words.txt")


def test_a_vocabulary_in_order_passes_its_own_text_and_one_of_another_kind():
    text = zipfian()
    vocabulary = WordVocabulary(["<S>", "</S>", "<UNK>", *in_order("descending", text)])
    check_descending_counts(encode_text([text], vocabulary), "words.txt")
    # Half of the words are three times as frequent as they were.
    other = [sentence for sentence in text for _ in range(3 if int(sentence[0][1:]) % 2 else 1)]
    check_descending_counts(encode_text([other], vocabulary), "words.txt")


def test_a_text_too_short_to_tell_passes():
    text = zipfian()
    vocabulary = WordVocabulary(["<S>", "</S>", "<UNK>", *in_order("ascending", text)])
    check_descending_counts(encode_text([text[:1500]], vocabulary), "words.txt")


def test_the_first_sentences_are_kept_as_they_are():
    text = encode_text([[["a"], ["b", "c"]], [["d"]], [["e"]]], VOCABULARY)
    assert text.first(None) is text
    for number, tokens in ((0, []), (1, [3]), (2, [3, 4, 5]), (3, [3, 4, 5, 6]), (9, [3, 4, 5, 6, 7])):
        first = text.first(number)
        assert first.num_sentences == min(number, 4)
        assert [token for shard in first.shards for token in shard.type_ids.tolist()] == tokens


def test_unknown_words_are_counted_also_where_the_text_says_so_itself():
    text = encode_text([[["a", "x", "<UNK>"]], [["x"], ["<S>"]]], VOCABULARY)
    assert text.count_unknown() == 3


def test_a_model_reads_characters_or_ids_one_higher_with_unknown_words_as_unknown():
    text = encode_text([[["a", "yy"]]], VOCABULARY)
    types = numpy.array([11, 3, 0], dtype=numpy.int32)
    assert numpy.array_equal(text.model_inputs(types, 6), words_to_characters(["yy", "a", "<S>"], 6))
    assert text.model_inputs(types, None).tolist() == [3, 4, 1]
    assert text.model_inputs(types, None).dtype == numpy.int64
