"""
Rows of different lengths, laid end to end without padding.

The packed layout is step-major: all rows of step 0, then those rows that have a step 1, and so on, rows sorted by
descending length. (`torch.nn.utils.rnn.PackedSequence` is the same, but refuses rows of length 0.)
"""

from typing import List, Optional

import torch
from torch import Tensor

from elmo_plugin.bilm.on_device import on_device


class RaggedLayout:
    """
    How rows of the given lengths are packed. It is found on the CPU: lengths that are on a GPU are waited for, once.

    # Parameters

    lengths : tokens in each row. Shape: (batch_size,), `int64`. `None`: every row is full.
    batch_size, num_steps : of the padded tensors.
    device : where those are.

    # Raises

    `ValueError` where a length is negative or above `num_steps`.
    """

    def __init__(self, lengths: Optional[Tensor], batch_size: int, num_steps: int, device: torch.device) -> None:
        self.batch_size, self.num_steps = batch_size, num_steps
        lengths = None if lengths is None else lengths.cpu()
        self.is_full = lengths is None or bool((lengths == num_steps).all())
        if self.is_full:
            self.rows_per_step: List[int] = [batch_size] * num_steps
            return
        if lengths.shape != (batch_size,) or int(lengths.min()) < 0 or int(lengths.max()) > num_steps:
            raise ValueError(
                f"`lengths` must hold {batch_size} numbers from 0 to {num_steps}, one a row, but it is "
                f"{lengths.tolist()}."
            )
        order = torch.sort(lengths, descending=True, stable=True).indices
        # Shape: (num_steps, batch_size)
        present = torch.arange(num_steps).unsqueeze(1) < lengths[order].unsqueeze(0)
        self.rows_per_step = present.sum(dim=1).tolist()
        steps, rows = present.nonzero(as_tuple=True)
        # Shape: (batch_size,)
        self.order, self.restore = on_device(order, device), on_device(torch.argsort(order), device)
        # Where a packed element lies in the padded layout (batch_size * num_steps). Shape: (sum of lengths,)
        self.positions = on_device(order[rows] * num_steps + steps, device)

    def pack(self, padded: Tensor) -> Tensor:
        """Shape: (batch_size, num_steps, dim) to (sum of lengths, dim)"""
        if self.is_full:
            return padded.transpose(0, 1).reshape(-1, padded.size(2))
        return padded.reshape(-1, padded.size(2))[self.positions]

    def unpack(self, packed: Tensor) -> Tensor:
        """Shape: (sum of lengths, dim) to (batch_size, num_steps, dim), zeros where a row has ended"""
        if self.is_full:
            return packed.view(self.num_steps, self.batch_size, -1).transpose(0, 1)
        padded = packed.new_zeros(self.batch_size * self.num_steps, packed.size(1))
        return padded.index_copy(0, self.positions, packed).view(self.batch_size, self.num_steps, -1)

    def sort_rows(self, rows: Tensor) -> Tensor:
        """Rows of a state into the packed order. Shape: (batch_size, dim) to the same"""
        return rows if self.is_full else rows[self.order]

    def restore_rows(self, rows: Tensor) -> Tensor:
        """The inverse of `sort_rows`."""
        return rows if self.is_full else rows[self.restore]


def reverse_rows(padded: Tensor, lengths: Optional[Tensor]) -> Tensor:
    """
    Each row's tokens in reverse order, padding left where it is: its own inverse.

    Shape: (batch_size, num_steps, …) to the same; lengths: (batch_size,)
    """
    if lengths is None:
        return padded.flip(1)
    steps = torch.arange(padded.size(1), device=padded.device).unsqueeze(0)
    ends = on_device(lengths, padded.device).unsqueeze(1)
    # Shape: (batch_size, num_steps)
    sources = torch.where(steps < ends, ends - 1 - steps, steps)
    rows = torch.arange(padded.size(0), device=padded.device).unsqueeze(1)
    return padded[rows, sources]
