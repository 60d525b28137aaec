import pytest

from elmo_plugin.data.characters import characters_of, half_width, sentences_of


def cut(text, **settings):
    return [
        "".join(character.text for character in sentence) for sentence in sentences_of(characters_of(text), **settings)
    ]


def test_only_digits_and_latin_letters_become_narrow():
    assert half_width("１９９８年ＡＺａｚ，（％）！３．１４") == "1998年AZaz，（％）！3．14"


def test_a_sentence_ends_with_its_marks_and_what_closes_behind_them():
    assert cut("“来吗？”他问。我说：‘来！’然后……走了") == ["“来吗？”", "他问。", "我说：‘来！’", "然后……", "走了"]
    assert cut("真的？！走") == ["真的？！", "走"]


def test_a_line_ends_a_sentence_and_white_space_is_left_out():
    assert cut(" 春天\n来 了\u3000。\r\n\n好\t") == ["春天", "来了。", "好"]
    assert cut(" \n") == [] and cut("") == []


def test_characters_keep_their_places():
    for text in ("a b\n。”c", "😀 好！走"):
        for sentence in sentences_of(characters_of(text)):
            assert all(text[character.start] == character.text for character in sentence)


@pytest.mark.parametrize("size", [1, 2, 7, 299, 300, 301])
def test_no_text_is_lost_however_long_and_pieces_are_short_enough(size):
    text = "春天来了，" * 50 + "好" * 700
    pieces = cut(text, max_characters=size)
    assert "".join(pieces) == text and max(map(len, pieces)) <= size


def test_long_sentences_are_cut_at_clause_marks_where_there_are_some():
    assert cut("一二，三四五，六七八九十百", max_characters=6) == ["一二，", "三四五，", "六七八九十百"]


class Item:
    def __init__(self, text):
        self.text = text


def test_words_are_never_cut():
    words = [Item("一二三四"), Item("五六七八九"), Item("，"), Item("十")]
    pieces = [[word.text for word in piece] for piece in sentences_of(words, max_characters=3)]
    assert pieces == [["一二三四"], ["五六七八九"], ["，", "十"]]
