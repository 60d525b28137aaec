"""
The parts of a step that are no products of matrices, each as one kernel for all rows and chains.

A program has one row of one chain, and `BLOCK` of its columns. The tensors are parts of packed ones: rows of a chain
lie one behind the other, chains lie `…_stride` numbers apart. Numbers are loaded in whatever precision they have and
become `COMPUTE`; what is stored is rounded to what the place holds.

Bounds are infinite where nothing is clipped. Comparisons are written so that what is not a number stays so.
"""

import triton
import triton.language as tl


@triton.jit
def _sigmoid(x):
    return 1.0 / (1.0 + tl.exp(-x))


@triton.jit
def _tanh(x):
    # Of numbers that are never above 1, so that nothing overflows.
    small = tl.exp(-2.0 * tl.abs(x))
    size = (1.0 - small) / (1.0 + small)
    return tl.where(x < 0.0, -size, size)


@triton.jit
def _clipped(x, bound):
    return tl.where(x > bound, bound, tl.where(x < -bound, -bound, x))


@triton.jit
def _place(width, BLOCK: tl.constexpr):
    """What this program has: a chain; where in it a row of `width` numbers starts; columns, and which of them exist."""
    chain = tl.program_id(2).to(tl.int64)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    return chain, tl.program_id(0).to(tl.int64) * width, column, column < width


@triton.jit
def _load(pointers, is_there, COMPUTE: tl.constexpr):
    return tl.load(pointers, is_there, 0.0).to(COMPUTE)


@triton.jit
def _load_gates(gate, cell_dim, is_there, COMPUTE: tl.constexpr):
    """The four gates behind their activations; the first one lies at `gate`, the others `cell_dim` apart."""
    input_gate = _sigmoid(_load(gate, is_there, COMPUTE))
    candidate = _tanh(_load(gate + cell_dim, is_there, COMPUTE))
    forget_gate = _sigmoid(_load(gate + 2 * cell_dim, is_there, COMPUTE))
    output_gate = _sigmoid(_load(gate + 3 * cell_dim, is_there, COMPUTE))
    return input_gate, candidate, forget_gate, output_gate


@triton.jit
def cell_forward(
    gates,
    memory,
    memories,
    exposed,
    gates_stride,
    memory_stride,
    memories_stride,
    exposed_stride,
    cell_dim,
    bound,
    KEEP: tl.constexpr,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """From the gates before their activations to the clipped `memory`, in place; before the clip into `memories`."""
    chain, start, column, is_there = _place(cell_dim, BLOCK)
    place = start + column
    gate = gates + chain * gates_stride + 4 * start + column
    input_gate, candidate, forget_gate, output_gate = _load_gates(gate, cell_dim, is_there, COMPUTE)
    before = _load(memory + chain * memory_stride + place, is_there, COMPUTE)
    after = forget_gate * before + input_gate * candidate
    if KEEP:
        tl.store(memories + chain * memories_stride + place, after, is_there)
    after = _clipped(after, bound)
    tl.store(memory + chain * memory_stride + place, after, is_there)
    tl.store(exposed + chain * exposed_stride + place, output_gate * _tanh(after), is_there)


@triton.jit
def clip_forward(
    projected,
    outputs,
    hidden,
    operand,
    projected_stride,
    outputs_stride,
    hidden_stride,
    operand_stride,
    projection_dim,
    bound,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The clipped projections: as outputs, as state, and as `operand` of the next product, in its precision."""
    chain, start, column, is_there = _place(projection_dim, BLOCK)
    place = start + column
    values = _load(projected + chain * projected_stride + place, is_there, COMPUTE)
    values = _clipped(values, bound)
    tl.store(outputs + chain * outputs_stride + place, values, is_there)
    tl.store(hidden + chain * hidden_stride + place, values, is_there)
    tl.store(operand + chain * operand_stride + place, values, is_there)


@triton.jit
def clip_backward(
    of_outputs,
    of_hidden,
    projected,
    of_projected,
    of_outputs_stride,
    of_hidden_stride,
    projected_stride,
    of_projected_stride,
    projection_dim,
    bound,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """The gradient of what was projected: zero beyond the bound, not on it."""
    chain, start, column, is_there = _place(projection_dim, BLOCK)
    place = start + column
    slope = _load(of_outputs + chain * of_outputs_stride + place, is_there, COMPUTE)
    slope += _load(of_hidden + chain * of_hidden_stride + place, is_there, COMPUTE)
    values = _load(projected + chain * projected_stride + place, is_there, COMPUTE)
    slope = tl.where(tl.abs(values) <= bound, slope, 0.0)
    tl.store(of_projected + chain * of_projected_stride + place, slope, is_there)


@triton.jit
def cell_backward(
    gates,
    memories,
    before,
    of_exposed,
    of_memory,
    of_gates,
    gates_stride,
    memories_stride,
    before_stride,
    of_exposed_stride,
    of_memory_stride,
    of_gates_stride,
    cell_dim,
    bound,
    bound_before,
    COMPUTE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """
    `of_memory` becomes the gradient of the memory `before` the step, and `of_gates` is that of the gates before their
    activations. What the way there computed from gates and memories is computed again: that takes less time than
    reading it.
    """
    chain, start, column, is_there = _place(cell_dim, BLOCK)
    place = start + column
    gate = gates + chain * gates_stride + 4 * start + column
    input_gate, candidate, forget_gate, output_gate = _load_gates(gate, cell_dim, is_there, COMPUTE)
    memory = _load(memories + chain * memories_stride + place, is_there, COMPUTE)
    previous = _clipped(_load(before + chain * before_stride + place, is_there, COMPUTE), bound_before)
    squashed = _tanh(_clipped(memory, bound))
    slope_exposed = _load(of_exposed + chain * of_exposed_stride + place, is_there, COMPUTE)
    slope = _load(of_memory + chain * of_memory_stride + place, is_there, COMPUTE)
    slope += slope_exposed * output_gate * (1.0 - squashed * squashed)
    slope = tl.where(tl.abs(memory) <= bound, slope, 0.0)
    tl.store(of_memory + chain * of_memory_stride + place, slope * forget_gate, is_there)
    of_gate = of_gates + chain * of_gates_stride + 4 * start + column
    tl.store(of_gate, slope * candidate * input_gate * (1.0 - input_gate), is_there)
    tl.store(of_gate + cell_dim, slope * input_gate * (1.0 - candidate * candidate), is_there)
    tl.store(of_gate + 2 * cell_dim, slope * previous * forget_gate * (1.0 - forget_gate), is_there)
    tl.store(of_gate + 3 * cell_dim, slope_exposed * squashed * output_gate * (1.0 - output_gate), is_there)
