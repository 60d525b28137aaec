import pytest
import torch

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.encoded_text import encode_text
from elmo_plugin.bilm.language_model import LanguageModel
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.streams import Streams
from elmo_plugin.bilm.vocabulary import WordVocabulary
from tests.bilm.small_models import equal, num_targets, small_options

VOCABULARY = WordVocabulary(["<S>", "</S>", "<UNK>", *"abcdefghi"])
SENTENCES = [list(words) for words in ("abc", "d", "efghix", "ab", "ibgxa", "", "hh")]
TEXT = encode_text([SENTENCES], VOCABULARY)


def model_of(dropout=0.0, **options):
    torch.manual_seed(0)
    given = small_options(num_words=len(VOCABULARY), **options)
    return LanguageModel(BilmOptions.from_dict(given), dropout).double()


def batches(num_rows, num_steps, as_ids=False):
    for window in Streams(TEXT, num_rows, num_steps):
        types = torch.from_numpy(TEXT.model_inputs(window.types, None if as_ids else 10))
        lengths = None if window.lengths is None else torch.from_numpy(window.lengths)
        yield types, *map(torch.from_numpy, window[1:5]), lengths


def run(model, num_rows, num_steps, **arguments):
    """The outputs of all windows, the state carried from each to the next."""
    state, outputs = model.zero_state(num_rows), []
    for *tensors, lengths in batches(num_rows, num_steps):
        outputs.append(model(*tensors, state, lengths, **arguments))
        state = outputs[-1].state
    return outputs


def test_there_is_one_loss_for_each_word_and_boundary_and_none_for_padding():
    outputs = run(model_of(), num_rows=3, num_steps=4)
    assert sum(output.forward_losses.numel() for output in outputs) == num_targets(TEXT)
    assert sum(output.backward_losses.numel() for output in outputs) == num_targets(TEXT)


def test_a_loss_is_minus_the_log_probability_of_its_word():
    model = model_of().eval()
    for types, *inputs_and_targets, lengths in batches(num_rows=2, num_steps=3):
        forward_inputs, backward_inputs, forward_targets, backward_targets = inputs_and_targets
        state = model.zero_state(2)
        output = model(types, *inputs_and_targets, state, lengths)
        forward, backward, _ = model.bilm(types, forward_inputs, backward_inputs, state, lengths)
        for losses, layers, targets in (
            (output.forward_losses, forward, forward_targets),
            (output.backward_losses, backward, backward_targets),
        ):
            logits = layers[-1] @ model.softmax.weight.t() + model.softmax.bias.squeeze(1)
            expected = -torch.log_softmax(logits, dim=-1).gather(2, targets.unsqueeze(2)).squeeze(2)
            ends = [3, 3] if lengths is None else lengths.tolist()
            expected = torch.cat([row[:end] for row, end in zip(expected, ends)])
            assert torch.allclose(losses, expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_carried_windows_have_the_losses_of_one_long_window(num_steps):
    model = model_of().eval()
    [whole] = run(model, num_rows=1, num_steps=num_targets(TEXT))
    parts = run(model, num_rows=1, num_steps=num_steps)
    for index in range(2):
        assert torch.allclose(torch.cat([part[index] for part in parts]), whole[index], atol=1e-12, rtol=0)
    for one, other in zip(parts[-1].state, whole.state):
        assert all(torch.allclose(a, b, atol=1e-12, rtol=0) for a, b in zip(one, other))


def test_the_directions_share_word_vectors_and_softmax_and_nothing_else():
    model = model_of()
    [output] = run(model, num_rows=1, num_steps=num_targets(TEXT))
    reached = {}
    for direction in ("forward", "backward"):
        model.zero_grad()
        getattr(output, f"{direction}_losses").sum().backward(retain_graph=True)
        reached[direction] = {n for n, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    shared = {name for name in reached["forward"] if name.startswith(("softmax.", "bilm.encoder."))}
    assert reached["forward"] & reached["backward"] == shared
    assert reached["forward"] | reached["backward"] == {name for name, _ in model.named_parameters()}


def test_a_window_without_text_has_no_losses_keeps_the_state_and_gives_gradients_of_zero():
    model = model_of()
    [(types, *tensors, _)] = list(batches(num_rows=2, num_steps=num_targets(TEXT)))[:1]
    state = run(model, num_rows=2, num_steps=3)[-1].state.detach()
    for num_samples in (None, 3):
        model.zero_grad()
        output = model(types, *tensors, state, torch.tensor([0, 0]), num_samples=num_samples)
        assert output.forward_losses.shape == output.backward_losses.shape == (0,)
        assert equal(output.state, state)
        (output.forward_losses.sum() + output.backward_losses.sum()).backward()
        assert not any(p.grad.any() for p in model.parameters() if p.grad is not None)


def test_sampling_draws_once_for_both_directions():
    model = model_of().eval()
    types = torch.from_numpy(words_to_characters(["a"], 10))
    inputs, targets = torch.zeros(1, 5, dtype=torch.int64), torch.full((1, 5), 3)
    model.bilm.backward_lstm.load_state_dict(model.bilm.forward_lstm.state_dict())
    torch.manual_seed(1)
    one = model(types, inputs, inputs, targets, targets, model.zero_state(1), num_samples=4)
    two = model(types, inputs, inputs, targets, targets, model.zero_state(1), num_samples=4)
    assert torch.equal(one.forward_losses, one.backward_losses)
    assert not torch.equal(one.forward_losses, two.forward_losses)


def losses(model):
    return run(model, num_rows=1, num_steps=5)[0].forward_losses


def test_dropout_acts_in_training_on_the_inputs_of_the_lstms_and_on_the_vectors_before_the_softmax():
    model = model_of(dropout=0.5)
    assert not torch.equal(losses(model), losses(model))
    model.bilm.forward_lstm.dropout = 0.0
    assert not torch.equal(losses(model), losses(model)), "nothing is dropped before the softmax"
    model.dropout = 0.0
    assert torch.equal(losses(model), losses(model))
    model.bilm.forward_lstm.dropout = 0.5
    assert not torch.equal(losses(model), losses(model)), "nothing is dropped before the LSTMs"
    model = model_of(dropout=0.5).eval()
    assert torch.equal(losses(model), losses(model))


def test_a_model_of_word_ids_is_trained_too():
    given = small_options(num_words=len(VOCABULARY))
    del given["char_cnn"]
    model = LanguageModel(BilmOptions.from_dict(given))
    *tensors, lengths = next(batches(2, 4, as_ids=True))
    output = model(*tensors, model.zero_state(2), lengths)
    output.forward_losses.sum().backward()
    assert torch.isfinite(output.backward_losses).all()
    assert model.bilm.encoder.embedding.weight.grad.any()
    *tensors, lengths = next(batches(2, 4))
    with pytest.raises(ValueError, match="takes word ids, but the windows hold characters. .*`max_characters: null`"):
        model(*tensors, model.zero_state(2), lengths)


@pytest.mark.parametrize(
    "as_ids, width, message",
    [
        (
            False,
            12,
            "words of the windows have 10 characters each, but .* is 12. Give the data loader `max_characters: 12`",
        ),
        (True, 10, "words of the windows are word ids, but 'max_characters_per_token' .* is 10"),
    ],
)
def test_words_of_another_width_than_the_options_are_refused(as_ids, width, message):
    model = model_of(max_characters=width)
    *tensors, lengths = next(batches(2, 4, as_ids=as_ids))
    with pytest.raises(ValueError, match=message):
        model(*tensors, model.zero_state(2), lengths)


def test_a_model_without_the_size_of_its_vocabulary_is_refused():
    given = small_options()
    del given["n_tokens_vocab"]
    with pytest.raises(ValueError, match="needs the size of its vocabulary: give the options 'n_tokens_vocab'"):
        LanguageModel(BilmOptions.from_dict(given))
