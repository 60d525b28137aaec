"""Running out of memory, said in one way whatever ran out."""

from contextlib import contextmanager
from typing import Iterator

import torch

# What torch writes where its allocator for the CPU fails, or C++'s own, or where a GPU's driver and libraries find no
# room, as beside another program; it is a plain RuntimeError then.
_CPU_ALLOCATORS = ("can't allocate memory", "not enough memory", "std::bad_alloc")
_GPU_ALLOCATORS = ("CUDA error: out of memory", "ALLOC_FAILED")

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


@contextmanager
def out_of_memory_as(message: str) -> Iterator[None]:
    """Inside the context, running out of memory is `OutOfMemory(message)`; every other error passes as it is."""
    try:
        yield
    except OutOfMemory:
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise OutOfMemory(f"{message} ({error})") from error
    except RuntimeError as error:
        if any(words in str(error) for words in (*_CPU_ALLOCATORS, *_GPU_ALLOCATORS)):
            raise OutOfMemory(f"{message} ({error})") from error
        raise
