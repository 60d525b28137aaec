import numpy
import pytest

from elmo_plugin.bilm.characters import word_to_characters, words_to_characters

WORDS = ["<S>", "</S>", "<UNK>", "<s>", "", "a", "café", "e\u0301", "中文", "🙂", "\x00", "\u200b", "a b", "x" * 10000]
WORDS += ["中" * count for count in (15, 16, 17)] + ["\ud83d", "ab\udc80c", "\udfff" * 60]


def test_a_word_is_its_bytes_between_marks_and_then_padding():
    # Ids of the table in the documentation, each one higher.
    assert word_to_characters("né", 7) == [259, ord("n") + 1, 0xC3 + 1, 0xA9 + 1, 260, 261, 261]


def test_the_sentence_marks_have_characters_of_their_own():
    assert word_to_characters("<S>", 5) == [259, 257, 260, 261, 261]
    assert word_to_characters("</S>", 5) == [259, 258, 260, 261, 261]
    assert word_to_characters("<UNK>", 7) == [259, *(byte + 1 for byte in b"<UNK>"), 260]


@pytest.mark.parametrize("max_characters", [3, 4, 5, 12, 50, 100])
def test_a_word_is_cut_where_its_bytes_no_longer_fit(max_characters):
    for word in ["x" * 200, "中" * 200]:
        ids = word_to_characters(word, max_characters)
        assert len(ids) == max_characters
        assert (ids[0], ids[-1]) == (259, 260)
        assert ids[1:-1] == [byte + 1 for byte in word.encode()[: max_characters - 2]]


def test_a_cut_may_go_through_a_character():
    assert word_to_characters("中中", 6) == [259, *(byte + 1 for byte in "中中".encode()[:4]), 260]


@pytest.mark.parametrize("max_characters", [3, 6, 50, 77])
def test_many_words_at_once_have_the_ids_that_they_have_alone(max_characters):
    ids = words_to_characters(WORDS, max_characters)
    assert (ids.shape, ids.dtype) == ((len(WORDS), max_characters), numpy.int64)
    assert ids.tolist() == [word_to_characters(word, max_characters) for word in WORDS]


def test_no_words_give_no_rows():
    assert words_to_characters([], 50).shape == (0, 50)


def test_ids_are_those_of_allennlps_mapper():
    mapper = pytest.importorskip("allennlp.data.token_indexers.elmo_indexer").ELMoCharacterMapper()
    words = WORDS + [chr(code) * 5 for code in range(1, 0x3000, 7)]
    assert words_to_characters(words, 50).tolist() == [mapper.convert_word_to_char_ids(word) for word in words]
