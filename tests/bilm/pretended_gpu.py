"""
A GPU that is none: tensors that say they are on one, with numbers in the computer's memory.

Torch's `FakeTensorMode` has tensors of any device, but no numbers, so a program stops at the first that it asks for.
Here it goes on, and what it asked for is written down:

    with PretendedGpu() as gpu:
        model.to("cuda")
        model(words.to("cuda"))
    gpu.waits  # {"ragged.__init__": 1}, say

Autograd's engine refuses to go back through them; `gradients_of` does it in its place.

Torch must be a build for GPUs; the tests that have one for real do without this.
"""

import sys
from collections import Counter
from contextlib import nullcontext
from typing import Any, Dict, List, Optional, Sequence, Tuple

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from elmo_plugin.bilm.ops import dispatch
from tests.bilm.ops.interpreted import interpreted

needs_pretended_gpu = pytest.mark.skipif(
    torch.cuda.is_available() or torch.version.cuda is None,
    reason="only where torch is a build for GPUs and there is none",
)

GPU = torch.device("cuda", 0)
_aten = torch.ops.aten
# They tell the computer something of what a tensor holds, or give a tensor whose size depends on that.
_ASKING = {
    _aten._local_scalar_dense,
    _aten.nonzero,
    _aten._unique2,
    _aten.unique_dim,
    _aten.unique_consecutive,
    _aten.masked_select,
    _aten.equal,
    _aten.is_nonzero,
}
_INDEXING = {_aten.index, _aten.index_put, _aten.index_put_, _aten._index_put_impl_}
_PACKAGE = "elmo_plugin"


class OnGpu(torch.Tensor):
    """
    # Parameters

    numbers : what it holds.
    """

    @staticmethod
    def __new__(cls, numbers: torch.Tensor) -> "OnGpu":
        strides = {"strides": numbers.stride(), "storage_offset": numbers.storage_offset()}
        result = torch.Tensor._make_wrapper_subclass(cls, numbers.shape, dtype=numbers.dtype, device=GPU, **strides)
        result.numbers = numbers
        return result

    def __init__(self, numbers: torch.Tensor) -> None:
        super().__init__()

    def __repr__(self) -> str:
        return f"OnGpu({self.numbers!r})"

    def tolist(self) -> List[Any]:
        """Copies all of it, as a real one does."""
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, function, types, arguments=(), named=None):
        raise RuntimeError(f"{function} of a tensor on the pretended GPU, outside of it.")


class PretendedGpu(TorchDispatchMode):
    """
    Inside the context `"cuda"` is a device. An operation on tensors of both devices is an error, as on a real one.

    `waits` counts, by the method or function of this project that had it happen, what has the computer wait for the
    GPU: numbers asked for, sizes that depend on numbers, and copies from ordinary memory that were not said to go on
    by themselves (`non_blocking`).
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: "Counter[str]" = Counter()
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> "PretendedGpu":
        # As `FakeTensorMode` does: `torch.tensor(…, device="cuda")` copies by an operation that is seen here.
        self._lifted_only = torch._C._only_lift_cpu_tensors()
        torch._C._set_only_lift_cpu_tensors(True)
        torch._C._ensureCUDADeviceGuardSet()
        # Modules get other parameters, not other numbers in those that they have.
        self._overwrites = torch.__future__.get_overwrite_module_params_on_conversion()
        torch.__future__.set_overwrite_module_params_on_conversion(True)
        self._patch.setattr(torch.cuda, "_lazy_init", lambda: None)
        self._patch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
        self._patch.setattr(torch.cuda, "is_bf16_supported", lambda *arguments, **named: True)
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._patch.undo()
        torch.__future__.set_overwrite_module_params_on_conversion(self._overwrites)
        torch._C._set_only_lift_cpu_tensors(self._lifted_only)

    def __torch_dispatch__(self, function, types, arguments=(), named=None):
        named = dict(named or {})
        packet = function.overloadpacket
        tensors = [x for x in tree_flatten((arguments, named))[0] if isinstance(x, torch.Tensor)]
        given = [tensor for tensor in tensors if isinstance(tensor, OnGpu)]
        device = named.get("device")
        is_on_gpu = bool(given) if device is None else torch.device(device).type == "cuda"
        if device is not None:
            named["device"] = torch.device("cpu")
        self._look_at(packet, tensors, given, is_on_gpu, named, arguments)
        plain_arguments, plain_named = tree_map(lambda x: x.numbers if isinstance(x, OnGpu) else x, (arguments, named))
        result = function(*plain_arguments, **plain_named)
        if packet is _aten._to_copy and result is plain_arguments[0]:
            result = result.clone()
        return self._handed_out(function, result, arguments, named, is_on_gpu)

    def _look_at(self, packet, tensors, given, is_on_gpu, named, arguments) -> None:
        if packet is _aten._to_copy or packet is _aten.copy_:
            is_copied = is_on_gpu != bool(given)
            if packet is _aten.copy_:
                is_copied = isinstance(arguments[0], OnGpu) != isinstance(arguments[1], OnGpu)
            is_blocking = not (named.get("non_blocking", False) or any(x is True for x in arguments[2:]))
            if is_copied and is_blocking:
                self._waited()
            return
        if packet in _ASKING and given:
            self._waited()
        if packet in _INDEXING and given:
            indices = [index for index in arguments[1] if index is not None]
            tensors = [arguments[0], *arguments[2:3]]
            # They are searched, or copied.
            if any(index.dtype in (torch.bool, torch.uint8) or not isinstance(index, OnGpu) for index in indices):
                self._waited()
        if given and any(not isinstance(tensor, OnGpu) and tensor.dim() > 0 for tensor in tensors):
            raise RuntimeError(f"Expected all tensors to be on the same device, but {packet} got some of the CPU.")

    def _waited(self) -> None:
        self.waits[_place()] += 1

    @staticmethod
    def _handed_out(function, result, arguments, named, is_on_gpu):
        """Tensors of the GPU; what was written in place as the very tensor that was given."""
        written = {id(x.numbers): x for x in tree_flatten((arguments, named))[0] if isinstance(x, OnGpu)}
        leaves, shape = tree_flatten(result)
        handed = [
            (written[id(leaf)] if id(leaf) in written else OnGpu(leaf))
            if is_on_gpu and isinstance(leaf, torch.Tensor)
            else leaf
            for leaf in leaves
        ]
        return tree_unflatten(handed, shape)


def _place() -> str:
    """The innermost method or function of the project on the stack, behind the last name of its module."""
    frame = sys._getframe(1)
    while frame is not None:
        module, name = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if module.split(".")[0] == _PACKAGE and not name.startswith("<"):
            return f"{module.split('.')[-1]}.{name}"
        frame = frame.f_back
    return "elsewhere"


def interpreted_kernels(patch: pytest.MonkeyPatch) -> None:
    """The recurrence in Triton's kernels, interpreted, for tensors of the pretended GPU."""
    pytest.importorskip("triton", reason="Triton comes with torch's builds for GPUs, and this is none")
    from elmo_plugin.bilm.ops import projected_lstm_triton_steps as steps

    launch = steps._launch

    def launch_on_numbers(kernel, tensors, *others, **constants):
        launch(kernel, [tensor.numbers for tensor in tensors], *others, **constants)

    patch.setattr(steps, "kernels", interpreted(steps.kernels))
    patch.setattr(steps, "_launch", launch_on_numbers)
    patch.setattr(torch.cuda, "device_of", lambda tensor: nullcontext())
    patch.setattr(dispatch, "kernels_run", lambda device, dtype: True)


def gradients_of(total: torch.Tensor) -> "Dict[torch.Tensor, torch.Tensor]":
    """
    What `total.backward()` would leave in each parameter: node after node of the graph that was recorded, without
    autograd's engine.
    """
    slopes: "Dict[Any, List[Optional[torch.Tensor]]]" = {total.grad_fn: [torch.ones_like(total)]}
    found: "Dict[torch.Tensor, torch.Tensor]" = {}
    for node in _in_order(total.grad_fn):
        given = slopes.pop(node)
        if hasattr(node, "variable"):
            found[node.variable] = given[0]
            continue
        given = [_zeros(like) if slope is None else slope for like, slope in zip(node._input_metadata, given)]
        for (below, place), slope in zip(*_passed_on(node, given)):
            if below is not None and slope is not None:
                metadata = below._input_metadata
                known = slopes.setdefault(below, [None] * len(metadata))
                # As the engine does.
                slope = slope.to(metadata[place].dtype).sum_to_size(metadata[place].shape)
                known[place] = slope if known[place] is None else known[place] + slope
    return found


def _passed_on(node: Any, given: "List[torch.Tensor]") -> "Tuple[Sequence[Any], Sequence[Optional[torch.Tensor]]]":
    """Where a node's gradients go, and they."""
    if not isinstance(node, torch.autograd.function.BackwardCFunction):
        results = node(*given)
        return node.next_functions, results if isinstance(results, tuple) else (results,)
    # It has results for its arguments that are no tensors, too.
    wanted = [slope for slope, is_wanted in zip(node.apply(*given), node.needs_input_grad) if is_wanted]
    return [function for function in node.next_functions if function[0] is not None], wanted


def _zeros(like: Any) -> torch.Tensor:
    return torch.zeros(like.shape, dtype=like.dtype, device=like.device)


def _in_order(last: Any) -> "List[Any]":
    """Every node behind all those that it gets gradients from."""
    done: "List[Any]" = []
    seen, stack = {last}, [(last, iter(last.next_functions))]
    while stack:
        node, below = stack[-1]
        for following, _ in below:
            if following is not None and following not in seen:
                seen.add(following)
                stack.append((following, iter(following.next_functions)))
                break
        else:
            done.append(node)
            stack.pop()
    return done[::-1]
