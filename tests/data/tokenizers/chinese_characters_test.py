from elmo_plugin.corpus.segmenters import split_characters
from elmo_plugin.data.tokenizers.chinese_characters import ChineseCharactersTokenizer

TEXT = "1998年，　他在IBM 工作了三年 （约）。\n三年又三年"


def test_ideographs_and_runs_of_other_letters_are_tokens_with_their_places():
    tokens = ChineseCharactersTokenizer().tokenize(TEXT)
    assert [token.text for token in tokens][:7] == ["1998", "年", "，", "他", "在", "IBM", "工"]
    assert all(TEXT[token.idx : token.idx_end] == token.text for token in tokens)


def test_its_words_are_those_that_a_bilm_of_characters_was_trained_on():
    assert [token.text for token in ChineseCharactersTokenizer().tokenize(TEXT)] == split_characters(TEXT)


def test_text_without_a_word_has_no_token():
    assert ChineseCharactersTokenizer().tokenize(" \n　") == []
