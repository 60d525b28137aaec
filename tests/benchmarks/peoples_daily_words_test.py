import pytest

from benchmarks.peoples_daily_words import sentences_of, words_of


def test_tags_numbers_and_brackets_go_and_words_stay():
    line = "19980101-01-001-001/m  [中央/n  电视台/n]nt  ３/m  ／/w  a/b/nx  。/w"
    assert words_of(line, "here") == ["中央", "电视台", "３", "／", "a/b", "。"]


def test_sentences_end_behind_their_marks_and_the_quotes_that_close_there():
    words = "他 说 ： “ 好 ！ ” 走 了 。 真 的 ？ ！ （ 完 ）".split()
    assert [" ".join(sentence) for sentence in sentences_of(words)] == ["他 说 ： “ 好 ！ ”", "走 了 。", "真 的 ？ ！", "（ 完 ）"]


def test_what_has_no_tag_is_refused_by_line():
    with pytest.raises(SystemExit, match="train.txt, line 7: expected word/tag, but found '迈向'."):
        words_of("1/m  迈向", "train.txt, line 7")
