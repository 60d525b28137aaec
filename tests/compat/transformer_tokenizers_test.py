from allennlp.common import cached_transformers

from elmo_plugin.compat import transformer_tokenizers
from tests.compat import scenarios


def test_no_tokenizer_can_be_built_without_the_mend(unmended):
    failed = "add_special_tokens conflicts" in unmended["transformer_tokenizer"].get("error", "")
    assert transformer_tokenizers.is_needed() == failed


def test_a_tokenizer_adds_special_tokens_where_it_is_asked_to(tmp_path):
    assert scenarios.transformer_tokenizer(tmp_path) == ["a b ##c", "[CLS] a b ##c [SEP]"]


def test_other_arguments_still_reach_the_tokenizer(tmp_path):
    scenarios.transformer_tokenizer(tmp_path)
    cased = cached_transformers.get_tokenizer(str(tmp_path), add_special_tokens=False, do_lower_case=False)
    assert cased.tokenize("A") == ["[UNK]"]
    assert cached_transformers.get_tokenizer(str(tmp_path)).tokenize("A") == ["a"]


def test_the_base_of_all_tokenizers_decides_whether_the_mend_is_needed(monkeypatch):
    assert transformer_tokenizers.is_needed()
    monkeypatch.setattr(transformer_tokenizers.transformers, "PreTrainedTokenizerBase", dict)
    assert not transformer_tokenizers.is_needed()
