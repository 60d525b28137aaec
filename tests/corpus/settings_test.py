import pytest

from elmo_plugin.corpus.encoding import sentence_keys
from elmo_plugin.corpus.settings import LARGEST_SEED, Settings, default_segmenter


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"segmenter": "magic"}, "segmenter: expected one of spacy, .*; got 'magic'"),
        ({"paragraphs": "page"}, "paragraphs: expected one of blank, line; got 'page'"),
        ({"held_out": 1.0}, "held_out: expected a fraction of at least 0 and below 1; got 1.0"),
        ({"held_out": -0.1}, "held_out: expected a fraction"),
        ({"shards": 0}, "shards: expected an integer of at least 1; got 0"),
        ({"min_count": 0}, "min_count: expected an integer of at least 1; got 0"),
        ({"max_size": 3}, "max_size: expected an integer of at least 4; got 3"),
        ({"max_characters": 2}, "max_characters: expected an integer of at least 3; got 2"),
        ({"normal_form": "NFX"}, "normal_form: expected one of NFC, .*; got 'NFX'"),
        ({"segmenter": "jieba"}, "segmenter: jieba knows Chinese only, but language is 'en'"),
        ({"id_vocabulary": "vocab.txt", "json_field": "text"}, "either id lines or JSON lines"),
        ({"id_vocabulary": "vocab.txt"}, "id lines are tokenised and split already"),
        ({"seed": -1}, "seed: expected an integer from 0 to 18446744073709551615; got -1"),
        ({"seed": 2**64}, "seed: expected an integer from 0 to 18446744073709551615; got 18446744073709551616"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(wrong, message):
    with pytest.raises(ValueError, match=message):
        Settings(**wrong)


def test_the_largest_seed_gives_keys():
    assert len(sentence_keys(Settings(seed=LARGEST_SEED).seed, 0, 3)) == 3


def test_nothing_held_out_is_a_setting_like_another():
    assert Settings(held_out=0.0).to_dict()["held_out"] == 0.0


def test_chinese_is_segmented_by_a_dictionary_and_other_languages_by_spacy():
    assert (default_segmenter("zh"), default_segmenter("en")) == ("jieba", "spacy")


def test_what_decides_the_blocks_is_apart_from_what_decides_the_vocabulary():
    first, second = Settings(min_count=1, held_out=0.5), Settings(min_count=2)
    assert first.of_blocks() == second.of_blocks()
    assert Settings(normal_form="NFC").of_blocks() != second.of_blocks()
