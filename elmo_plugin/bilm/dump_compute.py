"""The vectors of a text, part by part, by this process or by several."""

import multiprocessing
import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Set

import torch

from elmo_plugin.bilm.batches import Batching
from elmo_plugin.bilm.dump_parts import Parts
from elmo_plugin.bilm.embedding import SentenceReader, embed_block
from elmo_plugin.bilm.out_of_memory import OutOfMemory
from elmo_plugin.bilm.state_policy import STATEFUL

Block = List[List[str]]
Count = Callable[[int], None]


def compute_parts(
    reader: SentenceReader,
    blocks: Iterator[Block],
    parts: Parts,
    batching: Batching,
    form: str,
    dtype: str,
    count: Count,
) -> None:
    """
    Computes the parts that are missing, one after another.

    # Parameters

    blocks : the sentences of each part.
    count : is told how many words more are done.
    """
    carried, was_computed = None, False
    for index, block in enumerate(blocks):
        if parts.has(index):
            was_computed = False  # What is carried on is then that part's.
            continue
        if reader.policy == STATEFUL and index > 0 and not was_computed:
            carried = parts.load(index - 1).carried
        arrays, carried = embed_block(reader, block, batching, carried, form, dtype, on_batch=count)
        parts.save(index, arrays, [len(sentence) for sentence in block], carried)
        was_computed = True


def compute_parts_in_processes(
    reader: SentenceReader,
    blocks: Iterator[Block],
    parts: Parts,
    batching: Batching,
    form: str,
    dtype: str,
    count: Count,
    devices: Sequence[str],
) -> None:
    """
    The same by a process for each of `devices`. Where one fails, the others finish the parts that they are at, which
    are kept, and then that error is raised.

    # Raises

    `ValueError` where the state is carried from part to part; `OutOfMemory` where a process was killed.
    """
    if reader.policy == STATEFUL:
        raise ValueError(
            "Several processes can't share a text whose state is carried on (--state stateful): every sentence needs "
            "the one before. Take one process, or another state."
        )
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    for device in devices:
        queue.put(device)
    given = (reader, parts, batching, form, dtype)
    executor = ProcessPoolExecutor(len(devices), context, _start_worker, (queue, len(devices), given))
    running: "Set[Future[int]]" = set()
    try:
        for index, block in enumerate(blocks):
            if parts.has(index):
                continue
            running.add(executor.submit(_compute_part, index, block))
            if len(running) > 2 * len(devices):
                running = _take_finished(running, count)
        while running:
            running = _take_finished(running, count)
    except BrokenProcessPool as error:
        raise OutOfMemory(
            "A process ended before its work was done, for the reason printed above, or else because the system killed "
            "it, as it does where memory runs out. What was computed is kept. Take fewer processes (--processes), "
            "smaller batches (--token-budget), fewer --cached-words"
        ) from error
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _take_finished(running: "Set[Future[int]]", count: Count) -> "Set[Future[int]]":
    finished, others = wait(running, return_when=FIRST_COMPLETED)
    for future in finished:
        count(future.result())
    return set(others)


# What a process that helps was given when it started.
_given: Dict[str, Any] = {}


def _start_worker(queue: Any, num_processes: int, given: Any) -> None:
    """Ctrl-C reaches every process of a terminal, and the first one acts on it. If that is killed, helpers end too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(max(1, torch.get_num_threads() // num_processes))
    reader, *_given["settings"] = given
    _given["reader"] = reader.to(queue.get())


def _end_with_parent() -> None:
    parent: Optional[multiprocessing.process.BaseProcess] = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _compute_part(index: int, block: Block) -> int:
    parts, batching, form, dtype = _given["settings"]
    arrays, _ = embed_block(_given["reader"], block, batching, None, form, dtype)
    parts.save(index, arrays, [len(sentence) for sentence in block], None)
    return sum(map(len, block))
