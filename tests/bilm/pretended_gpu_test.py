"""
The model on a GPU that is none: no operation mixes devices, the numbers are those of the CPU, and the computer waits
for the GPU where it is said here and nowhere else.
"""

from contextlib import contextmanager

import pytest
import torch

from elmo_plugin.bilm.batches import Batching
from elmo_plugin.bilm.dump_compute import compute_parts
from elmo_plugin.bilm.embedding import SentenceReader, embed_block
from elmo_plugin.bilm.ops import dispatch
from elmo_plugin.bilm.scalar_mix import ScalarMix
from elmo_plugin.bilm.scoring import SentenceScorer
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.state import with_rows_reset
from elmo_plugin.bilm.state_policy import STATE_POLICIES
from elmo_plugin.bilm.vocabulary import WordVocabulary
from tests.bilm.autocast_test import model_and_window
from tests.bilm.pretended_gpu import GPU, OnGpu, PretendedGpu, gradients_of, interpreted_kernels, needs_pretended_gpu
from tests.bilm.small_models import random_state, small_bilm

pytestmark = needs_pretended_gpu

# Once for new words: for the length of the longest.
ENCODER = {"char_cnn._without_idle_positions": 1}
# Where lengths come from a GPU: in the last windows of a pass.
LENGTHS = {"language_model.forward": 1}
SENTENCES = [["a", "bc", "def"], ["x"], [], ["a", "x", "a", "b", "q"]]


@contextmanager
def pretended_gpu(kernels=False):
    """With the plain recurrence, or with Triton's kernels, interpreted."""
    with pytest.MonkeyPatch.context() as patch, PretendedGpu() as gpu:
        if kernels:
            interpreted_kernels(patch)
            yield gpu
        else:
            with dispatch.forced("plain"):
                yield gpu


def waits_of(gpu, function, *arguments, **named):
    gpu.waits.clear()
    return function(*arguments, **named), dict(gpu.waits)


def numbers(tensors):
    return [tensor.numbers if isinstance(tensor, OnGpu) else tensor for tensor in tensors]


def test_it_counts_what_is_waited_for_and_refuses_what_mixes_devices():
    with PretendedGpu() as gpu:
        tensor = torch.arange(4.0, device="cuda")
        assert tensor.device == GPU and not gpu.waits
        for wait in (
            lambda: tensor.tolist(),
            lambda: bool(tensor.sum() > 1),
            lambda: tensor.nonzero(),
            lambda: tensor[tensor > 1],
            lambda: tensor[[0, 2]],
            lambda: tensor.cpu(),
            lambda: torch.tensor([1.0], device="cuda"),
            lambda: torch.ones(2).to("cuda"),
            lambda: tensor.copy_(torch.ones(4)),
        ):
            gpu.waits.clear()
            wait()
            assert gpu.waits == {"elsewhere": 1}
        gpu.waits.clear()
        assert (tensor + torch.tensor(1.0)).device == torch.ones(2).to("cuda", non_blocking=True).device == GPU
        assert not gpu.waits
        with pytest.raises(RuntimeError, match="same device"):
            tensor + torch.ones(4)


def train(autocast, num_samples, with_lengths, dropout=0.0, gpu=None):
    """A first window, and a second one with the state carried on, or set back in some rows. On a GPU, what waits."""
    model, window = model_and_window(autocast)
    # Kernels are interpreted slowly.
    del window["lengths"]
    window = {name: tensor if name == "types" else tensor[:3, :3] for name, tensor in window.items()}
    model.dropout = dropout
    for lstm in (model.bilm.forward_lstm, model.bilm.backward_lstm):
        lstm.dropout = dropout
    window["lengths"] = torch.tensor([3, 0, 2]) if with_lengths else None
    if gpu is not None:
        model.to("cuda")
        window = {name: None if tensor is None else tensor.to("cuda") for name, tensor in window.items()}
        gpu.waits.clear()
    state = model(**window, state=model.zero_state(3), num_samples=num_samples).state.detach()
    output = model(**window, state=with_rows_reset(state, 1.0 if num_samples else 0.0), num_samples=num_samples)
    total = output.forward_losses.sum() + output.backward_losses.sum()
    waits = {} if gpu is None else dict(gpu.waits)
    if gpu is None:
        total.backward()
        gradients = [parameter.grad for parameter in model.parameters()]
    else:
        gpu.waits.clear()
        with torch.no_grad():
            found = gradients_of(total)
        assert not gpu.waits, "the way back waits"
        gradients = [found[parameter] for parameter in model.parameters()]
        assert {gradient.device for gradient in gradients} == {GPU}
    return numbers([output.forward_losses, output.backward_losses, *gradients]), waits


@pytest.mark.parametrize("shape, kernels", [("full", False), ("ragged", False), ("ragged", True)])
@pytest.mark.parametrize("autocast", [None, torch.bfloat16], ids=str)
def test_a_step_of_training_waits_for_the_longest_word_and_its_numbers_are_the_cpus(autocast, shape, kernels):
    with_lengths = shape == "ragged"
    expected, _ = train(None, None, with_lengths)
    with pretended_gpu(kernels) as gpu:
        found, waits = train(autocast, None, with_lengths, gpu=gpu)
    once = {**ENCODER, **(LENGTHS if with_lengths else {})}
    assert waits == {place: 2 * count for place, count in once.items()}
    for one, close in zip(found, expected):
        assert one.dtype == torch.float32
        assert (one - close).norm() <= (1e-5 if autocast is None else 0.1) * close.norm() + 1e-6
    assert autocast is None or not torch.equal(found[0], expected[0]), "nothing was rounded"


@pytest.mark.parametrize("autocast, kernels", [(None, False), (torch.bfloat16, False), (torch.bfloat16, True)])
def test_a_sampled_step_with_dropout_and_states_set_back_waits_no_more_often(autocast, kernels):
    with pretended_gpu(kernels) as gpu:
        found, waits = train(autocast, 50, False, dropout=0.2, gpu=gpu)
    assert waits == {place: 2 * count for place, count in ENCODER.items()}
    assert all(bool(torch.isfinite(tensor).all()) for tensor in found)


def reader_of(policy):
    return SentenceReader(small_bilm(), policy, random_state(1) if policy == "steady" else None)


@pytest.mark.parametrize("policy", STATE_POLICIES)
def test_reading_sentences_waits_for_new_words_and_for_the_vectors(policy):
    results = []
    for device in ("cpu", "cuda"):
        with pretended_gpu() as gpu:
            reader = reader_of(policy).to(device)
            (_, carried), first = waits_of(gpu, reader.read, SENTENCES)
            (representations, _), second = waits_of(gpu, reader.read, SENTENCES[::-1], carried)
            arrays, embedding = waits_of(gpu, embed_block, reader, SENTENCES, Batching(batch_size=2), carried)
            if device == "cuda":
                # Two batches.
                assert (first, second, embedding) == (ENCODER, {}, {"embedding.vectors_of": 2})
            results.append([*numbers(representations.layers), *map(torch.from_numpy, arrays[0])])
    for found, expected in zip(*results[::-1]):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


class Parts:
    """As `dump_parts.Parts`, in memory."""

    def __init__(self):
        self.saved = []

    def has(self, index):
        return False

    def save(self, index, arrays, lengths, carried):
        self.saved.append((arrays, lengths))


def test_a_dump_waits_for_each_batch_once_its_words_are_known():
    blocks, parts = [SENTENCES[:2], SENTENCES[2:]], Parts()
    with pretended_gpu() as gpu:
        reader = reader_of("steady").to("cuda")
        reader.read(SENTENCES)
        settings = Batching(batch_size=2), "all", "float16"
        _, waits = waits_of(gpu, compute_parts, reader, iter(blocks), parts, *settings, lambda count: None)
    assert waits == {"embedding.vectors_of": 2}
    assert [lengths for _, lengths in parts.saved] == [[3, 1], [0, 5]]


def test_scoring_waits_for_what_is_present_and_for_the_scores():
    scores = []
    for device in ("cpu", "cuda"):
        with pretended_gpu() as gpu:
            torch.manual_seed(1)
            softmax, vocabulary = Softmax(12, 4), WordVocabulary(["<S>", "</S>", "<UNK>", *"abcdefghi"])
            scorer = SentenceScorer(reader_of("steady").to(device), softmax, vocabulary)
            scorer.log_probabilities(SENTENCES)
            (found, _), waits = waits_of(gpu, scorer.log_probabilities, SENTENCES)
            if device == "cuda":
                assert waits == {"scoring._score": 2}
            scores.append([torch.from_numpy(direction) for sentence in found for direction in sentence])
    for found, expected in zip(*scores[::-1]):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_representing_a_batch_of_characters_waits_five_times_and_a_mix_never():
    results = []
    words = torch.randint(1, 262, (3, 5, 10), generator=torch.Generator().manual_seed(1))
    words[1, 3:] = 0
    for device in ("cpu", "cuda"):
        with pretended_gpu() as gpu:
            bilm, words_there = small_bilm().to(device), words.to(device)
            (representations, _), waits = waits_of(gpu, bilm.represent, words_there, bilm.zero_state(3))
            mixes = [ScalarMix(3, do_layer_norm=is_normed).to(device) for is_normed in (False, True)]
            mixed, of_mixes = waits_of(
                gpu, lambda: [mix(representations.layers, representations.mask) for mix in mixes]
            )
            if device == "cuda":
                # A gap before the last word; distinct words, and whether hashes found them; the lengths.
                places = {"bilm._add_boundaries": 1, "word_types.distinct_words": 2, "ragged.__init__": 1}
                assert waits == {**places, **ENCODER}
                assert not of_mixes
            results.append(numbers([tensor.detach() for tensor in mixed]))
    for found, expected in zip(*results[::-1]):
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
