"""Making things before they are asked for."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Iterator, TypeVar

T = TypeVar("T")
_END = object()


def prefetched(items: Iterator[T], count: int) -> Iterator[T]:
    """
    The same items in the same order, made by a thread of its own that is up to `count` of them ahead. An error comes
    where its item would have come. The thread ends with the iteration, also with one that is given up.
    """
    pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prefetched")
    try:
        ahead = deque(pool.submit(next, items, _END) for _ in range(count))
        while (item := ahead.popleft().result()) is not _END:
            ahead.append(pool.submit(next, items, _END))
            yield item
    finally:
        pool.shutdown(cancel_futures=True)
