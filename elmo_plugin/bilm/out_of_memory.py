"""Running out of memory, said in one way whatever ran out."""

from contextlib import contextmanager
from typing import Iterator

import torch

# What torch writes where its allocator for the CPU fails, or C++'s own, or where a GPU's driver, its libraries or
# Triton find no room, as beside another program; it is a plain RuntimeError then.
_MESSAGES = ("can't allocate memory", "not enough memory", "std::bad_alloc", "out of memory", "ALLOC_FAILED")

# Where the batch is not at hand any more.
FEWER_AT_ONCE = (
    "Not enough memory for the vectors of a batch. Make batches smaller (`batch_size`, `token_budget`; --batch-size, "
    "--token-budget), or cut very long sentences"
)


class OutOfMemory(RuntimeError):
    """
    There was not enough memory, on whatever device; the message says for what, and what to change.

    A `RuntimeError`, as torch's own is: code that goes on with smaller batches after one goes on here, too.
    """


def ran_out_of_memory(error: Exception) -> bool:
    """Whether it says that there was not enough memory, on whatever device."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return any(message in str(error) for message in _MESSAGES)


@contextmanager
def out_of_memory_as(message: str) -> Iterator[None]:
    """Inside the context, running out of memory is `OutOfMemory(message)`; every other error passes as it is."""
    try:
        yield
    except OutOfMemory:
        raise
    except (RuntimeError, MemoryError) as error:
        if ran_out_of_memory(error):
            raise OutOfMemory(f"{message} ({error})") from error
        raise
