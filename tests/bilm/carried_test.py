import pytest
import torch

from elmo_plugin import ElmoEmbedder
from elmo_plugin.bilm.char_cnn import CharCnnEncoder
from elmo_plugin.bilm.characters import words_to_characters
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

FILES = (PROJECT_ROOT / "fixtures/bilm/options.json", PROJECT_ROOT / "fixtures/bilm/weights.hdf5")
SENTENCE = ["The", "river", "was", "high"]


def as_ids(*sentences):
    ids = torch.zeros(len(sentences), max(map(len, sentences)), 50, dtype=torch.long)
    for row, sentence in zip(ids, sentences):
        row[: len(sentence)] = torch.from_numpy(words_to_characters(sentence, 50))
    return ids


@pytest.fixture(params=["zero", "steady", "stateful"])
def bilm(request):
    return ElmoEmbedder(*FILES, state=request.param).elmo_bilm


def test_called_with_characters_it_gives_the_same_activations_as_read_with_words(bilm):
    other = ElmoEmbedder(*FILES, state=bilm.reader.policy).elmo_bilm
    for sentences in ([SENTENCE, SENTENCE[:2]], [SENTENCE[1:]]):
        with torch.no_grad():
            found = bilm(as_ids(*sentences))
        expected = other.read(sentences)
        assert torch.equal(found["mask"], expected.mask.long())
        for one, another in zip(found["activations"], expected.layers):
            assert_close(one, another)
    assert bilm.num_layers == len(found["activations"]) == 3
    assert bilm.get_output_dim() == found["activations"][0].size(2)


def test_states_can_be_taken_out_moved_and_put_back():
    elmo = ElmoEmbedder(*FILES, state="stateful")
    lstm = elmo.elmo_bilm._elmo_lstm
    assert lstm._states == ()
    elmo.embed_sentence(SENTENCE)
    states = tuple(state.clone() for state in lstm._states)
    assert [tuple(state.shape) for state in states] == [(2, 1, 32), (2, 1, 128)]
    second = elmo.embed_sentence(SENTENCE)
    lstm._states = states
    assert (elmo.embed_sentence(SENTENCE) == second).all()
    lstm._states = None
    assert lstm._states == ()


def test_resetting_the_states_begins_anew():
    elmo = ElmoEmbedder(*FILES, state="stateful")
    first = elmo.embed_sentence(SENTENCE)
    assert (elmo.embed_sentence(SENTENCE) != first).any()
    elmo.elmo_bilm._elmo_lstm.reset_states()
    assert_close(elmo.embed_sentence(SENTENCE), first)


def test_stateful_can_be_switched_off_and_on():
    elmo = ElmoEmbedder(*FILES, state="stateful")
    lstm = elmo.elmo_bilm._elmo_lstm
    assert lstm.stateful
    lstm.stateful = False
    zero = ElmoEmbedder(*FILES, state="zero").embed_sentence(SENTENCE)
    for _ in range(2):
        assert_close(elmo.embed_sentence(SENTENCE), zero)
    lstm.stateful = True
    elmo.embed_sentence(SENTENCE)
    assert lstm._states != ()


def test_words_can_be_computed_beforehand(bilm, monkeypatch):
    bilm.create_cached_cnn_embeddings(SENTENCE + ["<S>", "</S>", "high"])
    assert len(bilm.reader.word_vectors) == 6
    lengths, encode = [], CharCnnEncoder.forward
    monkeypatch.setattr(CharCnnEncoder, "forward", lambda self, ids: lengths.append(len(ids)) or encode(self, ids))
    bilm.read([SENTENCE])
    assert lengths == [0]


def fill(module):
    if isinstance(module, torch.nn.Embedding):
        torch.nn.init.constant_(module.weight.data, 0.25)


def test_after_apply_no_word_and_no_steady_state_of_the_old_weights_is_left(bilm):
    before, steady = bilm.read([SENTENCE]).layers, bilm.reader.steady
    bilm._elmo_lstm.reset_states()
    bilm.apply(fill)
    after = bilm.read([SENTENCE]).layers
    assert not torch.allclose(after[0][:, 1:2], before[0][:, 1:2])
    assert (bilm.reader.steady is None) == (steady is None)
    if steady is not None:
        assert not torch.equal(bilm.reader.steady.forward_.hidden, steady.forward_.hidden)


def test_loading_weights_does_the_same(bilm):
    bilm.read([SENTENCE])
    zeros = {name: torch.zeros_like(tensor) for name, tensor in bilm.state_dict().items()}
    bilm.load_state_dict(zeros)
    assert not bilm.read([SENTENCE]).layers[0].any()


def test_moving_it_moves_all_that_it_remembers(bilm):
    bilm.read([SENTENCE])
    bilm.to(torch.float64)
    assert bilm.read([SENTENCE]).layers[2].dtype == torch.float64


def test_ids_of_allennlps_cache_are_refused(bilm):
    with pytest.raises(ValueError, match="`word_inputs` are ids of AllenNLP's own cache of words. Leave them out"):
        bilm(as_ids(SENTENCE), torch.ones(1, 4))
