"""Which implementation runs, and that a whole model is the same with either."""

import threading

import numpy
import pytest
import torch

from elmo_plugin.bilm.ops import dispatch
from elmo_plugin.bilm.ops.dispatch import IMPLEMENTATIONS, forced, has_own_kernels, is_fast
from tests.oracle_models import random_batch, random_model, random_states, to_state


def test_on_a_cpu_the_fast_peer_runs_in_either_full_precision():
    assert is_fast(torch.zeros(1), torch.zeros(2))
    assert is_fast(torch.zeros(1, dtype=torch.float64))


def test_elsewhere_and_in_other_precisions_the_plain_definition_runs():
    assert not is_fast(torch.zeros(1, device="meta"))
    assert not is_fast(torch.zeros(1, dtype=torch.bfloat16))
    assert not is_fast(torch.zeros(1), torch.zeros(1, dtype=torch.float64))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert not is_fast(torch.zeros(1))


def test_the_recurrence_has_kernels_of_its_own_on_a_gpu_where_triton_is_installed_and_nothing_is_forced(monkeypatch):
    gpu = torch.device("cuda", 0)
    monkeypatch.setattr(dispatch, "find_spec", lambda name: object())
    assert has_own_kernels(gpu, torch.float32)
    assert not has_own_kernels(torch.device("cpu"), torch.float32)
    assert not has_own_kernels(gpu, torch.float64)
    for implementation in (*IMPLEMENTATIONS, "fixed"):
        with forced(implementation):
            assert not has_own_kernels(gpu, torch.float32)
    monkeypatch.setattr(dispatch, "find_spec", lambda name: None)
    assert not has_own_kernels(gpu, torch.float32)


def test_an_implementation_is_forced_inside_the_context_only():
    with forced("plain"):
        assert not is_fast(torch.zeros(1))
        with forced("fast"):
            assert is_fast(torch.zeros(1, device="meta"))
        assert not is_fast(torch.zeros(1))
    assert is_fast(torch.zeros(1))


def test_a_forced_implementation_ends_with_an_error_too():
    with pytest.raises(KeyError), forced("plain"):
        raise KeyError
    assert is_fast(torch.zeros(1))


def test_another_thread_is_not_forced():
    found = []
    with forced("plain"):
        thread = threading.Thread(target=lambda: found.append(is_fast(torch.zeros(1))))
        thread.start()
        thread.join()
    assert found == [True]


def test_an_unknown_implementation_is_refused():
    with pytest.raises(ValueError, match=r"one of \('plain', 'fast', 'fixed'\), but it is 'quick'"), forced("quick"):
        pass


@pytest.mark.parametrize("name", ["two layers", "no skip connections", "word ids"])
@pytest.mark.parametrize("training", [False, True])
def test_a_model_gives_the_same_layers_states_and_gradients_with_either(name, training, tmp_path):
    model = random_model(name, tmp_path)
    model.bilm.train(training)
    rng = numpy.random.default_rng(0)
    words, _ = random_batch(model, rng, [5, 2, 7, 1])
    state = to_state(random_states(model, rng, 4), model.bilm.forward_lstm.layers[0].bias)
    results = []
    for implementation in IMPLEMENTATIONS:
        model.bilm.zero_grad()
        with forced(implementation):
            representations, after = model.bilm.represent(torch.from_numpy(words), state)
            sum(layer.square().sum() for layer in representations.layers).backward()
        tensors = [*representations.layers, *after.forward_, *after.backward_]
        results.append(tensors + [parameter.grad for parameter in model.bilm.parameters()])
    for plain, fast in zip(*results):
        torch.testing.assert_close(fast, plain, rtol=1e-12, atol=1e-12)


def test_under_autocast_a_model_still_runs(tmp_path):
    model = random_model("two layers", tmp_path, torch.float32)
    words, _ = random_batch(model, numpy.random.default_rng(0), [3, 2])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        representations, _ = model.bilm.represent(torch.from_numpy(words), model.bilm.zero_state(2))
    exact, _ = model.bilm.represent(torch.from_numpy(words), model.bilm.zero_state(2))
    for layer, exact_layer in zip(representations.layers, exact.layers):
        torch.testing.assert_close(layer.float(), exact_layer, rtol=0, atol=0.05)
