"""The compiled product with a matrix laid out before: any rows and widths, and every row by itself."""

import re

import pytest
import torch

from elmo_plugin.bilm.ops import dispatch, linear_compiled
from elmo_plugin.bilm.ops.compiled_program import PanelMatrix, why_not
from elmo_plugin.bilm.ops.dispatch import in_panels_for_linear
from tests.compiled import forced_if, runs_here

pytestmark = pytest.mark.usefixtures("each_program")

# Rows, in, out: around the numbers that the program takes at a time (6 and 96 rows, 256 inputs, panels of 16, four of
# them).
SHAPES = [(0, 3, 16), (1, 1, 16), (1, 300, 80), (2, 256, 64), (3, 257, 112), (5, 16, 16), (6, 40, 48), (7, 513, 32)]
SHAPES += [(95, 20, 16), (97, 300, 64), (200, 8, 144)]
all_shapes = pytest.mark.parametrize("shape", SHAPES, ids=str)


def random_task(shape, seed=0):
    """Rows, weight and bias."""
    num_rows, num_in, num_out = shape
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(size, generator=generator) for size in [(num_rows, num_in), (num_out, num_in), (num_out,)]]


def run(rows, weight, bias, dtype=torch.float32):
    return linear_compiled.linear_compiled(rows, PanelMatrix(weight, dtype=dtype), bias)


@runs_here
@all_shapes
@pytest.mark.parametrize("num_threads", [1, 2, 3])
def test_its_error_is_that_of_the_library(shape, num_threads, threads):
    threads(num_threads)
    rows, weight, bias = random_task(shape)
    exact = rows.double() @ weight.double().t() + bias
    found = run(rows, weight, bias)
    assert found.shape == exact.shape and found.dtype == torch.float32
    if shape[0] > 0:
        plain = torch.nn.functional.linear(rows, weight, bias)
        allowed = float((plain - exact).abs().max()) + 1e-6 * float(exact.abs().max())
        assert (found - exact).abs().max() <= allowed


@runs_here
@pytest.mark.parametrize("num_threads", [1, 2, 3])
def test_a_row_has_the_same_bits_alone_and_on_any_number_of_threads(num_threads, threads):
    rows, weight, bias = random_task((200, 300, 80))
    threads(1)
    alone = [run(row, weight, bias) for row in rows.split(1)]
    threads(num_threads)
    for num_rows in (1, 2, 3, 4, 5, 7, 96, 97, 200):
        assert torch.equal(run(rows[:num_rows], weight, bias), torch.cat(alone[:num_rows]))


@runs_here
@all_shapes
def test_in_half_precision_it_is_that_of_rounded_weights(shape):
    rows, weight, bias = random_task(shape)
    assert torch.equal(run(rows, weight, bias, torch.float16), run(rows, weight.half().float(), bias))


@runs_here
@all_shapes
@pytest.mark.parametrize("num_threads", [1, 2])
def test_in_panels_it_is_the_same_and_only_its_part_of_the_room_is_written_to(shape, num_threads, threads):
    threads(num_threads)
    rows, weight, bias = random_task(shape)
    num_results = shape[0] * shape[2]
    room = torch.full((num_results + 5,), 7.0)
    found = linear_compiled.linear_in_panels(rows, PanelMatrix(weight), bias, room)
    assert found.data_ptr() == room.data_ptr() or num_results == 0
    assert torch.equal(found.transpose(0, 1).reshape(shape[0], shape[2]), run(rows, weight, bias))
    assert room[num_results:].tolist() == [7.0] * 5
    if num_results > 0:
        with pytest.raises(ValueError, match=f"`room` should hold {num_results} numbers, but it holds 3"):
            linear_compiled.linear_in_panels(rows, PanelMatrix(weight), bias, room[:3])


@runs_here
def test_rows_may_lie_anyhow_and_learn():
    rows, weight, bias = random_task((7, 20, 32))
    expected = run(rows, weight, bias)
    found = run(rows.t().contiguous().t().requires_grad_(), weight, bias.requires_grad_())
    assert torch.equal(found, expected) and not found.requires_grad


@runs_here
def test_what_is_not_a_number_stays_in_its_row():
    rows, weight, bias = random_task((7, 20, 32))
    rows[3, 4] = torch.nan
    assert torch.equal(run(rows, weight, bias).isnan().any(dim=1), torch.arange(7) == 3)


@runs_here
def test_what_does_not_fit_together_is_refused_before_it_is_read():
    rows, weight, bias = random_task((7, 20, 32))
    for task, message in [
        ((rows[:, 1:], weight, bias), "`inputs` should have the shape (7, 20), but it has (7, 19)."),
        ((rows[0], weight, bias), "`inputs` should have the shape (20, 20), but it has (20,)."),
        ((rows, weight, bias[1:]), "`bias` should have the shape (32,), but it has (31,)."),
        ((rows.to("meta"), weight, bias), "`inputs` should be on the CPU, but it is on meta."),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            run(*task)
    with pytest.raises(ValueError, match="panels of one gate, but they are of 2"):
        linear_compiled.linear_compiled(rows, PanelMatrix(weight, num_gates=2), bias[:16])


def test_it_is_for_float32_on_a_cpu_and_whole_panels():
    weight = torch.zeros(32, 5)
    assert linear_compiled.is_for(weight) is (why_not() is None) is (in_panels_for_linear(weight) is not None)
    for other in (weight[1:], weight.double(), weight.to("meta"), weight[:, :0]):
        assert not linear_compiled.is_for(other) and in_panels_for_linear(other) is None


@runs_here
def test_dispatch_takes_it_for_few_rows_and_for_fixed_ones(monkeypatch):
    monkeypatch.setattr(dispatch, "ROWS_FOR_PANELS", 7)
    rows, weight, bias = random_task((8, 20, 32))
    # So that it is seen which of both was read.
    panels = PanelMatrix(2 * weight)
    single, double = (torch.nn.functional.linear(rows, times * weight, bias) for times in (1, 2))
    for implementation, num_rows, expected in [
        (None, 7, double), (None, 8, single), ("fixed", 7, double), ("fixed", 8, double), ("plain", 7, single),
        ("fast", 7, single),
    ]:
        with forced_if(implementation):
            found = dispatch.linear(rows[:num_rows], weight, bias, panels)
        torch.testing.assert_close(found, expected[:num_rows])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert dispatch.linear(rows[:1], weight, bias, panels).dtype == torch.bfloat16
