"""The trial of the kernels, in Triton's interpreter: what it finds, and what follows from it."""

import logging

import pytest
import torch

from elmo_plugin.bilm.ops import dispatch, projected_lstm_trial
from elmo_plugin.bilm.ops.projected_lstm_trial import kernels_run, why_not
from tests.bilm.ops.interpreted import interpreted
from tests.bilm.ops.projected_lstm_compiled_test import chain

pytest.importorskip("triton", reason="Triton comes with torch's builds for GPUs, and this is none")

from elmo_plugin.bilm.ops import projected_lstm_triton, projected_lstm_triton_steps  # noqa: E402
from elmo_plugin.bilm.ops.projected_lstm_triton import projected_lstms_triton  # noqa: E402

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def interpreter(monkeypatch):
    monkeypatch.setattr(projected_lstm_triton_steps, "kernels", interpreted(projected_lstm_triton_steps.kernels))
    kernels_run.cache_clear()
    yield
    kernels_run.cache_clear()


@pytest.fixture
def failing(monkeypatch):
    """Lets the recurrence in kernels raise an error, or give what another one does."""

    def fail(behaviour):
        monkeypatch.setattr(projected_lstm_triton, "projected_lstms_triton", behaviour)

    return fail


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kernels_that_compute_the_same_run_and_no_random_number_is_drawn(dtype, caplog):
    before = torch.get_rng_state()
    for surroundings in (torch.no_grad, torch.inference_mode):
        with surroundings():
            assert why_not(CPU, dtype) is None
    assert torch.equal(torch.get_rng_state(), before)
    assert kernels_run(CPU, dtype) and not caplog.records


def test_what_is_missing_is_told_once_and_the_plain_recurrence_runs(failing, monkeypatch, caplog):
    def no_compiler(*arguments):
        raise RuntimeError("Failed to find C compiler.")

    failing(no_compiler)
    monkeypatch.setattr(dispatch, "has_own_kernels", lambda device, dtype: True)
    given = chain(([2], 16, 16))
    with caplog.at_level(logging.WARNING), torch.autocast("cpu", dtype=torch.bfloat16):
        for _ in range(2):
            assert dispatch._recurrence_of([given]) is dispatch.plain_lstm.projected_lstms
    (record,) = caplog.records
    assert "do not run on cpu in torch.bfloat16, so the plain recurrence does" in record.getMessage()
    assert record.getMessage().endswith("RuntimeError: Failed to find C compiler.")


def test_where_they_run_they_are_taken(monkeypatch):
    monkeypatch.setattr(dispatch, "has_own_kernels", lambda device, dtype: True)
    assert dispatch._recurrence_of([chain(([2], 16, 16))]) is projected_lstms_triton


@pytest.mark.parametrize("wrong", [0.5, torch.nan])
def test_kernels_that_compute_something_else_are_not_taken(wrong, failing):
    def spoilt(chains, *others):
        return [output._replace(hidden=output.hidden + wrong) for output in projected_lstms_triton(chains, *others)]

    failing(spoilt)
    assert "Their numbers differ from the plain recurrence's" in why_not(CPU, torch.float32)


def test_gradients_are_tried_too(failing):
    def without_gradient(chains, *others):
        halves = [one._replace(memory=0.5 * one.memory + 0.5 * one.memory.detach()) for one in chains]
        return projected_lstms_triton(halves, *others)

    failing(without_gradient)
    assert "differ" in why_not(CPU, torch.float32)


def test_reading_without_gradients_is_tried_too(failing):
    def spoilt(chains, *others):
        outputs = projected_lstms_triton(chains, *others)
        return outputs if torch.is_grad_enabled() else [one._replace(outputs=one.outputs + 1) for one in outputs]

    failing(spoilt)
    assert "differ" in why_not(CPU, torch.float32)


@pytest.mark.parametrize("message", ["CUDA out of memory. Tried to allocate 2 GiB", "CUBLAS_STATUS_ALLOC_FAILED when"])
def test_a_gpu_that_is_full_says_nothing_about_kernels(message, failing):
    def full(*arguments):
        raise RuntimeError(message)

    failing(full)
    with pytest.raises(RuntimeError, match=message):
        kernels_run(CPU, torch.float32)
    assert projected_lstm_trial.kernels_run.cache_info().currsize == 0
