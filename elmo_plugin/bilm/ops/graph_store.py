"""
Captured functions, kept for when they are needed again, and lent to one user at a time.

A captured function leaves what its way back needs where it is. So from the way there until the way back it belongs to
one user; another who comes meanwhile, the second layer of the same shape, is lent another one of the same key.
"""

import logging
import weakref
from collections import OrderedDict
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any, Callable, Generic, Hashable, Iterator, List, Optional, Protocol, Tuple, TypeVar

from elmo_plugin.bilm.out_of_memory import OutOfMemory, out_of_memory_as

logger = logging.getLogger(__name__)

# When a key is seen for this time it is captured: what comes once or twice is not worth it.
CAPTURED_AT = 3
# Keys that have something captured, and all that are counted.
MAX_CAPTURED, MAX_COUNTED = 8, 1024
# Of all that is kept. A window of 20 steps of 512 rows of the original model takes about 2 GB a layer in bfloat16.
MAX_BYTES = 8 * 2**30

_NOT_ENOUGH = (
    "Not enough memory on the GPU to capture a window as a CUDA graph, which holds it besides. Make batches smaller "
    "(`batch_size`, `num_steps`), or leave `cuda_graphs` off"
)


class Lendable(Protocol):
    """`num_bytes` : what it holds."""

    num_bytes: int


Content = TypeVar("Content", bound=Lendable)


class Loan(Generic[Content]):
    """
    Until it is given back, or forgotten by its user, nobody else is lent what it is of.

    # Parameters

    slot : where that is kept.

    Attributes: `is_over`, whether it was given back.
    """

    def __init__(self, slot: "_Slot[Content]") -> None:
        self._slot, self.is_over = slot, False
        slot.borrower = weakref.ref(self)

    @property
    def content(self) -> Content:
        """
        What is lent; after it was given back, too, as long as nobody else was lent it.

        # Raises

        `RuntimeError` from then on.
        """
        if self._slot.borrower() is not self:
            raise RuntimeError(
                "What the way back through a window needs is gone: it was gone back through before, and another window "
                "has used the same CUDA graph since. Go back through a window once, or leave `cuda_graphs` off."
            )
        return self._slot.content

    def give_back(self) -> None:
        self.is_over = True


class _Slot(Generic[Content]):
    def __init__(self, content: Content) -> None:
        self.content = content
        self.borrower: Callable[[], Optional[Loan[Content]]] = lambda: None

    def is_free(self) -> bool:
        loan = self.borrower()
        return loan is None or loan.is_over


class _Entry:
    def __init__(self) -> None:
        self.times_seen, self.is_too_large = 0, False
        self.slots: List[_Slot[Any]] = []

    @property
    def num_bytes(self) -> int:
        return sum(slot.content.num_bytes for slot in self.slots)


class GraphStore:
    """
    May be shared by threads. A copy, by `copy` or `pickle`, is empty.

    # Parameters

    max_bytes : of all that is kept. Keys that were needed longest ago are forgotten first; what of them is lent stays
        until it is given back.
    max_captured : keys that something is captured for.
    """

    def __init__(self, max_bytes: int = MAX_BYTES, max_captured: int = MAX_CAPTURED) -> None:
        self.max_bytes, self.max_captured = max_bytes, max_captured
        # Keys, those needed longest ago first.
        self._entries: "OrderedDict[Hashable, _Entry]" = OrderedDict()
        self._has_failed, self._lock = False, Lock()

    def __reduce__(self) -> Tuple[Any, ...]:
        return GraphStore, (self.max_bytes, self.max_captured)

    @property
    def num_bytes(self) -> int:
        """Of all that is kept."""
        return sum(entry.num_bytes for entry in self._entries.values())

    def lend(self, key: Hashable, capture: Callable[[], Content]) -> Optional[Loan[Content]]:
        """
        What was captured for a key, or is captured now; `None` where that is not, or not yet, to be: the user then does
        without. Where capturing fails, a warning says why, and nothing is captured any more.

        # Parameters

        key : all that the captured function depends on but numbers in tensors.

        # Raises

        `OutOfMemory` where memory runs out in capturing.
        """
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            entry.times_seen += 1
            if len(self._entries) > MAX_COUNTED:
                self._entries.popitem(last=False)
            if entry.times_seen < CAPTURED_AT or entry.is_too_large:
                return None
            slot = next((slot for slot in entry.slots if slot.is_free()), None)
            if slot is None:
                slot = self._capture(entry, capture)
            return None if slot is None else Loan(slot)

    def _capture(self, entry: _Entry, capture: Callable[[], Content]) -> "Optional[_Slot[Content]]":
        another = entry.slots[0].content.num_bytes if entry.slots else 0
        if self._has_failed or entry.num_bytes + another > self.max_bytes:
            return None
        try:
            with out_of_memory_as(_NOT_ENOUGH):
                slot = _Slot(capture())
        except OutOfMemory:
            raise
        except Exception as error:  # Of CUDA, of Triton or of the driver.
            self._has_failed = True
            logger.warning(
                "A window can't be captured as a CUDA graph, so windows are launched step by step, which takes longer. "
                "%s: %s", type(error).__name__, error,
            )
            return None
        if slot.content.num_bytes > self.max_bytes:
            entry.is_too_large = True
            logger.warning(
                "A window takes %s bytes as a CUDA graph, and all of them may take %s, so it is launched step by step.",
                f"{slot.content.num_bytes:,}", f"{self.max_bytes:,}",
            )
            return None
        entry.slots.append(slot)
        self._forget_old(entry)
        return slot

    def _forget_old(self, newest: _Entry) -> None:
        captured = [entry for entry in self._entries.values() if entry.slots and entry is not newest]
        num_bytes, num_captured = self.num_bytes, len(captured) + 1
        for entry in captured:
            if num_bytes <= self.max_bytes and num_captured <= self.max_captured:
                return
            num_bytes, num_captured = num_bytes - entry.num_bytes, num_captured - 1
            entry.slots, entry.times_seen = [], 0


_current: ContextVar[Optional[GraphStore]] = ContextVar("graph store", default=None)


@contextmanager
def captured_in(store: Optional[GraphStore]) -> Iterator[None]:
    """Inside the context (and this thread) what can be captured is, and is kept in `store`; with `None`, nothing is."""
    token = _current.set(store)
    try:
        yield
    finally:
        _current.reset(token)


def current_store() -> Optional[GraphStore]:
    """That of the innermost `captured_in`."""
    return _current.get()
