import pickle

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Tokenizer

from elmo_plugin.data.tokenizers import BlankSpacyTokenizer
from elmo_plugin.data.tokenizers.blank_spacy import blank_pipeline


@pytest.mark.parametrize(
    "language, text, words",
    [
        ("en", "Don't go,  Mr. Smith!\n", ["Do", "n't", "go", ",", "Mr.", "Smith", "!"]),
        ("de", "Das ist z.B. gut.", ["Das", "ist", "z.B.", "gut", "."]),
        ("zh", "我在 北京。", ["我", "在", "北", "京", "。"]),
        ("en", "an 😀 émoji", ["an", "😀", "émoji"]),
        ("en", " \n\t ", []),
        ("en", "", []),
    ],
)
def test_text_is_cut_by_the_languages_rules_and_words_know_their_places(language, text, words):
    tokens = BlankSpacyTokenizer(language).tokenize(text)
    assert [token.text for token in tokens] == words
    assert [text[token.idx : token.idx_end] for token in tokens] == words


def test_batches_are_cut_like_single_texts():
    tokenizer = BlankSpacyTokenizer()
    assert tokenizer.batch_tokenize(["a b", "c"]) == [tokenizer.tokenize("a b"), tokenizer.tokenize("c")]


def test_texts_longer_than_a_pipeline_takes_are_cut():
    text = "word " * 250_000
    assert len(BlankSpacyTokenizer().tokenize(text)) == 250_000


def test_the_pipeline_is_made_at_the_first_use_and_once():
    blank_pipeline.cache_clear()
    tokenizers = BlankSpacyTokenizer("nl"), BlankSpacyTokenizer("nl")
    assert blank_pipeline.cache_info().currsize == 0
    for tokenizer in tokenizers:
        tokenizer.tokenize("een twee")
    assert blank_pipeline.cache_info().misses == 1


def test_a_used_tokenizer_can_be_pickled_and_takes_no_pipeline_along():
    tokenizer = BlankSpacyTokenizer()
    expected = tokenizer.tokenize("Eva isn't here.")
    pickled = pickle.dumps(tokenizer)
    assert pickle.loads(pickled).tokenize("Eva isn't here.") == expected
    assert len(pickled) < 200


def test_it_is_built_from_a_configuration_and_tells_it():
    tokenizer = Tokenizer.from_params(Params({"type": "elmo_spacy", "language": "fr"}))
    assert tokenizer.to_params().params == {"type": "elmo_spacy", "language": "fr"}


def test_an_unknown_language_is_an_error_that_says_what_to_give():
    with pytest.raises(ConfigurationError, match="tokenizer for the language 'klingon'.*'xx' for any other"):
        BlankSpacyTokenizer("klingon").tokenize("a")
