"""Checks that two processes make together, as workers of one distributed training."""

from typing import Callable

import torch.multiprocessing
from allennlp.common.testing.distributed_test import init_process
from allennlp.common.util import find_open_port

PORT_IS_TAKEN = "EADDRINUSE"


def on_two_workers(check: Callable[[int, int, int], None], attempts: int = 3) -> None:
    """
    `check(worker, world_size, gpu_id)` in two processes of their own; what one of them raises is raised. Where another
    program took the port that had been found free, another port is tried.
    """
    try:
        torch.multiprocessing.start_processes(
            init_process,
            args=(2, [-1, -1], check, None, None, "127.0.0.1", find_open_port()),
            nprocs=2,
            start_method="spawn",
        )
    except torch.multiprocessing.ProcessRaisedException as error:
        if PORT_IS_TAKEN not in str(error) or attempts == 1:
            raise
        on_two_workers(check, attempts - 1)
