"""
The recurrence of projected LSTM layers where nothing is kept for a way back, as a program of its own: a fast peer of
`projected_lstm` for processors with AVX2.

Torch has a call for each product and each small operation of a step, its threads meet in each, and its products with
few rows copy the weights before they multiply. `compiled/projected_lstm.c` reads them once a step, and a direction's
thread goes through all steps without waiting for anybody.

Where the program is not (`compiled_program`), `projected_lstm_reading` runs.
"""

import ctypes
import math
from typing import Iterator, List, NamedTuple, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor
from torch.nn import functional

from elmo_plugin.bilm.ops.compiled_program import WIDTH, PanelMatrix, can_read, check_tensors, program, rows_apart
from elmo_plugin.bilm.ops.linear_compiled import linear_in_panels
from elmo_plugin.bilm.ops.projected_lstm import Chain, ChainOutput, Inputs

# As in the program.
MAX_CHAINS = 8
# Whose input gates are held at once, from both directions of the original model 34 MB.
TOKENS_AT_ONCE = 256


def in_panels(
    weight_recurrent: Tensor, weight_projection: Tensor, dtype: torch.dtype = torch.float32
) -> List[PanelMatrix]:
    """Both matrices of a chain, as `projected_lstms_compiled` takes them."""
    return [PanelMatrix(weight_recurrent, num_gates=4, dtype=dtype), PanelMatrix(weight_projection, dtype=dtype)]


def is_for(weight_projection: Tensor) -> bool:
    """Whether layers with such a projection, shape (projection_dim, cell_dim), can be run."""
    return all(size % WIDTH == 0 for size in weight_projection.shape) and can_read(weight_projection)


def projected_lstms_compiled(
    chains: Sequence[Chain], rows_per_step: Sequence[int], cell_clip: Optional[float], projection_clip: Optional[float]
) -> List[ChainOutput]:
    """
    The values of `ops.projected_lstm.projected_lstms`; see there for the formula and the shapes. Weights may be
    `in_panels`, those of all chains in the same precision; else they are copied so. The input gates may be `Inputs`,
    which are multiplied for some steps at a time, and their weight a `PanelMatrix` of one gate.

    # Raises

    `RuntimeError` where the program can't run; `ValueError` for tensors that do not fit together, as it would read
    beyond them.
    """
    library = program()
    num_threads = torch.get_num_threads()
    some = list(portions(rows_per_step))
    tokens_at_once = max((place.stop - place.start for place, _ in some), default=0)
    works = [_Work.of(chain, rows_per_step, tokens_at_once, num_threads) for chain in chains]
    _check_alike(works)
    widths = works[0].memory.size(1), works[0].hidden.size(1)
    clips = [math.inf if clip is None else clip for clip in (cell_clip, projection_clip)]
    are_half = works[0].recurrent.dtype == torch.float16
    strides = works[0].hidden.stride(0), works[0].exposed.stride(0)
    for place, portion in some:
        # All of these are needed until the program has returned.
        gates = [work.gates(place) for work in works]
        described = [work.described(own_gates, place) for work, own_gates in zip(works, gates)]
        rows = (ctypes.c_int64 * len(portion))(*portion)
        of_gates = gates[0][0].stride()[:3]
        sizes = _Sizes(
            len(rows), len(works[0].memory), *widths, ctypes.addressof(rows), *clips, are_half, *of_gates, *strides
        )
        for start in range(0, len(described), MAX_CHAINS):
            group = described[start : start + MAX_CHAINS]
            library.elmo_projected_lstms(len(group), (_Chain * len(group))(*group), ctypes.byref(sizes), num_threads)
    return [ChainOutput(work.outputs, work.hidden.contiguous(), work.memory) for work in works]


def portions(rows_per_step: Sequence[int]) -> Iterator[Tuple[slice, List[int]]]:
    """Steps of some `TOKENS_AT_ONCE`: where their tokens stand, and their rows."""
    start, end, rows = 0, 0, []
    for num_rows in rows_per_step:
        rows.append(num_rows)
        end += num_rows
        if end - start >= TOKENS_AT_ONCE:
            yield slice(start, end), rows
            start, rows = end, []
    if rows:
        yield slice(start, end), rows


class _Work(NamedTuple):
    """What the program reads and writes for a chain; its state changes."""

    input_gates: Union[Tensor, Inputs]
    outputs: Tensor
    hidden: Tensor
    memory: Tensor
    recurrent: Tensor
    projection: Tensor
    exposed: Tensor
    at_work: Tensor
    room_for_gates: Tensor

    @classmethod
    def of(cls, chain: Chain, rows_per_step: Sequence[int], tokens_at_once: int, num_threads: int) -> "_Work":
        """
        # Raises

        `ValueError` for tensors that do not fit together.
        """
        # Under autocast they may have fewer bits.
        memory = chain.memory.detach().float().clone(memory_format=torch.contiguous_format)
        in_panels = isinstance(chain.input_gates, Inputs) and isinstance(chain.input_gates.weight, PanelMatrix)
        work = cls(
            chain.input_gates,
            outputs=memory.new_empty(sum(rows_per_step), chain.hidden.size(1)),
            hidden=rows_apart(*chain.hidden.shape).copy_(chain.hidden.detach()),
            memory=memory,
            **dict(zip(("recurrent", "projection"), _panels(chain))),
            exposed=rows_apart(*memory.shape),
            at_work=memory.new_empty(num_threads, 4, len(memory), WIDTH),
            room_for_gates=memory.new_empty(4 * memory.size(1) * tokens_at_once if in_panels else 0),
        )
        work._check(rows_per_step)
        return work

    def _check(self, rows: Sequence[int]) -> None:
        (batch_size, dim), cell_dim = self.hidden.shape, self.memory.size(1)
        expected = [
            ("memory", self.memory, (batch_size, cell_dim)),
            ("weight_recurrent", self.recurrent, (cell_dim // WIDTH, 4, dim, WIDTH)),
            ("weight_projection", self.projection, (dim // WIDTH, 1, cell_dim, WIDTH)),
        ]
        if isinstance(self.input_gates, Inputs):
            vectors, weight, bias = self.input_gates
            expected += [("vectors", vectors, (sum(rows), dim)), ("bias", bias, (4 * cell_dim,))]
            if isinstance(weight, PanelMatrix):
                expected.append(("weight", weight.panels, (4 * cell_dim // WIDTH, 1, dim, WIDTH)))
            else:
                expected.append(("weight", weight, (4 * cell_dim, dim)))
        else:
            expected.append(("input_gates", self.input_gates, (sum(rows), 4 * cell_dim)))
        check_tensors(expected)
        if rows and not 0 <= min(rows) <= max(rows) <= batch_size:
            raise ValueError(f"`rows_per_step` should be from 0 to {batch_size}, but it is {list(rows)}.")

    def gates(self, place: slice) -> Tuple[Tensor, Optional[Tensor]]:
        """
        The input's share of the gates of some tokens, in rows or in panels, and what is still to be added to each
        token's: a library's product with a bias begins by copying that.

        Shapes: (number of tokens, 4, cell_dim / WIDTH, WIDTH), (4 * cell_dim,)
        """
        num_tokens, num_blocks = place.stop - place.start, self.memory.size(1) // WIDTH
        in_rows = num_tokens, 4, num_blocks, WIDTH
        if not isinstance(self.input_gates, Inputs):
            return self.input_gates[place].detach().float().contiguous().view(in_rows), None
        vectors, weight, bias = (part.detach() if isinstance(part, Tensor) else part for part in self.input_gates)
        if isinstance(weight, PanelMatrix):
            panels = linear_in_panels(vectors[place], weight, bias, self.room_for_gates)
            return panels.view(4, num_blocks, num_tokens, WIDTH).permute(2, 0, 1, 3), None
        gates = functional.linear(vectors[place], weight).float().contiguous()
        return gates.view(in_rows), bias.float().contiguous()

    def described(self, gates: Tuple[Tensor, Optional[Tensor]], place: slice) -> "_Chain":
        """`gates`: those of that place."""
        tensors = self.hidden, self.memory, self.recurrent, self.projection, self.exposed, self.at_work
        own = *gates, self.outputs[place], *tensors
        return _Chain(*(None if tensor is None else tensor.data_ptr() for tensor in own))


def _check_alike(works: Sequence[_Work]) -> None:
    first = works[0]
    for work in works:
        if work.recurrent.dtype != first.recurrent.dtype or work.projection.dtype != first.recurrent.dtype:
            raise ValueError("The weights of all chains should have the same precision, but they have not.")
        if len(work.room_for_gates) != len(first.room_for_gates):
            raise ValueError("The input gates of all chains should be given in the same form, but they are not.")
        if work.hidden.shape != first.hidden.shape or work.memory.shape != first.memory.shape:
            raise ValueError("All chains should have the same shapes, but they have not.")


class _Chain(ctypes.Structure):
    """`struct chain` of the program."""

    _names = ("input_gates", "bias", "outputs", "hidden", "memory", "recurrent", "projection", "exposed", "gates")
    _fields_ = [(name, ctypes.c_void_p) for name in _names]


class _Sizes(ctypes.Structure):
    """`struct sizes` of the program."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in ("num_steps", "batch_size", "cell_dim", "projection_dim")),
        ("rows_per_step", ctypes.c_void_p),
        ("cell_clip", ctypes.c_float),
        ("projection_clip", ctypes.c_float),
        ("are_half", ctypes.c_int64),
        *((name, ctypes.c_int64) for name in ("row_stride", "gate_stride", "block_stride")),
        *((name, ctypes.c_int64) for name in ("hidden_stride", "exposed_stride")),
    ]


def _panels(chain: Chain) -> List[Tensor]:
    if isinstance(chain.weight_recurrent, PanelMatrix):
        matrices = [chain.weight_recurrent, chain.weight_projection]
    else:
        matrices = in_panels(chain.weight_recurrent, chain.weight_projection)
    return [matrix.panels for matrix in matrices]
