import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Batch, Instance, Token, TokenIndexer, Vocabulary
from allennlp.data.fields import ListField, TextField
from allennlp.modules.token_embedders import ElmoTokenEmbedder

SENTENCES = [["The", "cat", "<S>", "</S>", "été"], [], ["中" * 20, "x" * 10000, ""], ["\ud800", "a"]]


def indexer(kind="elmo_character_ids", **arguments):
    return TokenIndexer.from_params(Params({"type": kind, **arguments}))


def field(words, used):
    return TextField([Token(word) for word in words], {"words": used})


def tensors(sentences, used):
    batch = Batch([Instance({"text": field(words, used)}) for words in sentences])
    batch.index_instances(Vocabulary())
    return batch.as_tensor_dict()["text"]["words"]


def test_it_makes_the_tensors_of_allennlps_own_indexer():
    ours, theirs = tensors(SENTENCES, indexer()), tensors(SENTENCES, indexer("elmo_characters"))
    assert list(ours) == list(theirs) == ["elmo_tokens"]
    assert ours["elmo_tokens"].dtype == torch.int64
    assert torch.equal(ours["elmo_tokens"], theirs["elmo_tokens"])


def test_it_makes_them_of_lists_of_sentences_too():
    def nested(used):
        lists = [ListField([field(words, used) for words in part]) for part in (SENTENCES, SENTENCES[:2])]
        batch = Batch([Instance({"texts": sentences}) for sentences in lists])
        batch.index_instances(Vocabulary())
        return batch.as_tensor_dict()["texts"]["words"]["elmo_tokens"]

    assert nested(indexer()).shape == (2, 4, 5, 50)
    assert torch.equal(nested(indexer()), nested(indexer("elmo_characters")))


def test_allennlps_own_embedder_takes_its_tensors(project_root):
    files = [str(project_root / "fixtures" / "bilm" / name) for name in ("options.json", "weights.hdf5")]
    embedder = ElmoTokenEmbedder(*files, dropout=0.0).eval()
    vectors = embedder(**tensors(SENTENCES, indexer()))
    assert vectors.shape == (4, 5, embedder.get_output_dim())
    assert torch.isfinite(vectors).all() and vectors[0].any() and not vectors[1].any()


@pytest.mark.parametrize("width", [3, 7, 51])
def test_the_width_is_its_argument(width):
    made = tensors([["The", "cathedral"], ["a"]], indexer(max_characters=width))["elmo_tokens"]
    assert made.shape == (2, 2, width)
    inside = b"cathedral"[: width - 2]
    padding = [261] * (width - 2 - len(inside))
    assert made[0, 1].tolist() == [259, *(byte + 1 for byte in inside), 260, *padding]
    assert not made[1, 1].any()


def test_sentences_are_padded_to_the_least_length_asked_for():
    assert tensors([["a"]], indexer(token_min_padding_length=4))["elmo_tokens"].shape == (1, 4, 50)


def test_a_field_without_words_has_a_tensor_without_rows():
    empty = field([], indexer())
    empty.index(Vocabulary())
    tensor = empty.as_tensor(empty.get_padding_lengths())["words"]["elmo_tokens"]
    assert tensor.shape == (0, 50) and tensor.dtype == torch.int64


def test_a_width_too_small_for_any_word_is_refused():
    with pytest.raises(
        ConfigurationError, match="`max_characters` .* at least 3 .* but it is 2. Give 'max_characters_per"
    ):
        indexer(max_characters=2)


def test_a_token_without_text_is_refused():
    with pytest.raises(ConfigurationError, match="needs the text of each token, but a token has none"):
        indexer().tokens_to_indices([Token(text_id=3)], Vocabulary())
