"""
Triton kernels without a GPU: run by Triton's interpreter, program after program, on tensors of the CPU; or by torch.
"""

import importlib.util
from types import ModuleType
from typing import Any, Sequence

import pytest
import torch
from torch import Tensor


def interpreted(module: ModuleType) -> ModuleType:
    """
    A second copy of a module of kernels, whose kernels are interpreted. The module itself stays as it is, and so does
    what else of this process uses Triton: it asks for the interpreter when a kernel is defined.
    """
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_interpreted", module.__file__)
    copy = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        spec.loader.exec_module(copy)
    return copy


def launch_without_triton(kernel: Any, tensors: Sequence[Tensor], width: int, bounds: Sequence[float], **constants):
    """
    What `projected_lstm_triton_steps._launch` does, by torch's operations: for tests of what is around the kernels.
    (Triton's interpreter takes a millisecond and more for each program of a kernel.)
    """
    _BY_TORCH[kernel.fn.__name__](*tensors, *bounds, **constants)


def _cell_forward(gates, memory, memories, exposed, bound, KEEP):
    input_gate, candidate, forget_gate, output_gate = gates.float().chunk(4, dim=2)
    after = forget_gate.sigmoid() * memory + input_gate.sigmoid() * candidate.tanh()
    if KEEP:
        memories.copy_(after)
    memory.copy_(after.clamp(-bound, bound))
    exposed.copy_(output_gate.sigmoid() * memory.tanh())


def _clip_forward(projected, outputs, hidden, operand, bound):
    for place in (outputs, hidden, operand):
        place.copy_(projected.clamp(-bound, bound))


def _clip_backward(of_outputs, of_hidden, projected, of_projected, bound):
    of_projected.copy_((of_outputs + of_hidden) * (projected.abs() <= bound))


def _cell_backward(gates, memories, before, of_exposed, of_memory, of_gates, bound, bound_before):
    leaves = [tensor.float().requires_grad_() for tensor in (gates.clone(), before.clamp(-bound_before, bound_before))]
    with torch.enable_grad():
        input_gate, candidate, forget_gate, output_gate = leaves[0].chunk(4, dim=2)
        after = forget_gate.sigmoid() * leaves[1] + input_gate.sigmoid() * candidate.tanh()
        after = after.clamp(-bound, bound)
        exposed = output_gate.sigmoid() * after.tanh()
        slopes = torch.autograd.grad([after, exposed], leaves, [of_memory, of_exposed.float()])
    of_gates.copy_(slopes[0])
    of_memory.copy_(slopes[1])


_BY_TORCH = {
    "cell_forward": _cell_forward,
    "clip_forward": _clip_forward,
    "clip_backward": _clip_backward,
    "cell_backward": _cell_backward,
}
