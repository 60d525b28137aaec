"""
The program in C whose operations are fast peers of others, for processors with AVX2: whether it is here and can run,
and weights as it reads them.

It is compiled where the package is installed and a C compiler with OpenMP is at hand (setup.py): twice, for processors
with AVX-512 and for those with AVX2. Of the same inputs a row's numbers are the same bits whatever rows are beside it
and whichever of the two runs, in every operation of it.
"""

import ctypes
from functools import lru_cache
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor

# What processors it was compiled for, the best first, and its files without their suffix.
FILES = {"AVX-512": "compiled/program_avx512", "AVX2": "compiled/program_avx2"}
# All as in the program.
VERSION, WIDTH = 6, 16


class PanelMatrix:
    """
    Weights as the program reads them: panels of `WIDTH` columns of each of a step's gates.

    # Parameters

    weight : one that is of `float32` on a CPU. Shape: (out, in), `out` a multiple of `num_gates * WIDTH`
    num_gates : whose columns lie one behind the other in `weight`.
    dtype : `torch.float32`, or `torch.float16`, each weight rounded to it; sums are in `float32` in any case.

    # Raises

    `ValueError` for another precision or device, as the program would read beyond it.
    """

    def __init__(self, weight: Tensor, num_gates: int = 1, dtype: torch.dtype = torch.float32) -> None:
        if dtype not in (torch.float32, torch.float16) or weight.device.type != "cpu":
            raise ValueError(
                f"Weights should be of float32 or float16 and on the CPU, but they are {dtype} on {weight.device}."
            )
        by_panel = weight.detach().to(dtype).view(num_gates, -1, WIDTH, weight.size(1))
        # Shape: (out / num_gates / WIDTH, num_gates, in, WIDTH)
        self.panels = by_panel.permute(1, 0, 3, 2).contiguous()


def why_not() -> Optional[str]:
    """Why the program can't run here; `None` if it can."""
    found = _loaded()
    return found if isinstance(found, str) else None


def compiled_for() -> Optional[str]:
    """What the program that runs here was compiled for, `"AVX-512"` or `"AVX2"`; `None` if none can."""
    found = _loaded()
    return None if isinstance(found, str) else found.processors


def can_read(*tensors: Tensor) -> bool:
    """Whether the program can run here, and these are as it takes them: of `float32`, on the CPU."""
    are_suited = all(tensor.device.type == "cpu" and tensor.dtype == torch.float32 for tensor in tensors)
    return are_suited and why_not() is None


def check_tensors(expected: Sequence[Tuple[str, Tensor, Tuple[int, ...]]]) -> None:
    """
    # Parameters

    expected : names of what the program is about to read, and the shapes that they must have.

    # Raises

    `ValueError` for another shape or device, as the program would read beyond it.
    """
    for name, tensor, shape in expected:
        if tuple(tensor.shape) != shape:
            raise ValueError(f"`{name}` should have the shape {shape}, but it has {tuple(tensor.shape)}.")
    for name, tensor, _ in expected:
        if tensor.device.type != "cpu":
            raise ValueError(f"`{name}` should be on the CPU, but it is on {tensor.device}.")


def rows_apart(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """
    To write into, with a gap behind each row (the last of `shape` is how long it is): rows that begin a power of two
    apart, and are read side by side, would push each other out of the first cache.
    """
    return torch.empty(*shape[:-1], shape[-1] + WIDTH, dtype=dtype)[..., : shape[-1]]


def laid_apart(tensor: Tensor) -> Tensor:
    """
    `tensor` if it lies as `rows_apart` has it, else a copy that does: what was saved for the way back may come back in
    another layout (`torch.autograd.graph.saved_tensors_hooks`).
    """
    expected = torch.empty(*tensor.shape[:-1], tensor.size(-1) + WIDTH, device="meta").stride()
    return tensor if tensor.stride() == expected else rows_apart(*tensor.shape, dtype=tensor.dtype).copy_(tensor)


def program() -> Any:
    """
    # Raises

    `RuntimeError` where it can't run.
    """
    found = _loaded()
    if isinstance(found, str):
        raise RuntimeError(f"The compiled program can't run: {found}")
    return found.library


class Program(NamedTuple):
    """
    processors : what it was compiled for.
    library : it.
    """

    processors: str
    library: Any


@lru_cache(maxsize=None)
def _loaded() -> Union[Program, str]:
    """The best program that can run here, or why none can: the reasons, each once."""
    reasons = []
    for processors in FILES:
        found = load(processors)
        if not isinstance(found, str):
            return found
        reasons.append(found)
    return " ".join(dict.fromkeys(reasons))


def load(processors: str) -> Union[Program, str]:
    """The program that was compiled for such ones, of `FILES`, or why it can't run here."""
    paths = (Path(__file__).parent / (FILES[processors] + suffix) for suffix in EXTENSION_SUFFIXES)
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        return (
            "it was not compiled when the package was installed. With a C compiler that has OpenMP, for x86, "
            "`python setup.py build_ext --inplace` in the project's root does it."
        )
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        return f"{path.name} can't be loaded: {error}."
    if not hasattr(library, "elmo_version") or library.elmo_version() != VERSION:
        return f"{path.name} was compiled from another version of the package; install it again."
    if not library.elmo_can_run():
        return f"this processor has not all of {processors}."
    number, pointer = ctypes.c_int, ctypes.c_void_p
    for operation, arguments in [
        (library.elmo_projected_lstms, [number, pointer, pointer, number]),
        (library.elmo_steps_there, [number, pointer, pointer, number]),
        (library.elmo_steps_back, [number, pointer, pointer, number]),
        (library.elmo_linear, [pointer, number]),
        (library.elmo_char_convolutions, [number, pointer, pointer, number]),
        (library.elmo_char_convolutions_back, [number, pointer, pointer, pointer, number]),
    ]:
        operation.restype, operation.argtypes = None, arguments
    return Program(processors, library)
