"""How fast training goes."""

import time
from typing import Dict, Optional

import torch.distributed
from allennlp.common.util import is_distributed
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.metrics import Metric


@Metric.register("elmo_token_rate")
class TokenRate(Metric):
    """
    Tokens per second of wall-clock time, on all workers together, since the first call after a reset; that call's own
    tokens, whose time was not seen, do not count. A pass of one call has no rate.

    Workers wait for one another at the end of a pass only. Until then each takes the others to have read as much as it.

    Registered as a `Metric` with name "elmo_token_rate".

    ```jsonnet
    { "type": "elmo_token_rate" }
    ```
    """

    def __init__(self) -> None:
        self.reset()

    def __call__(self, num_tokens: int) -> None:
        now = time.perf_counter()
        if self._began is None:
            self._began = now
        else:
            self._num_tokens += num_tokens
        self._last = now

    def get_metric(self, reset: bool = False) -> Dict[str, float]:
        """`tokens_per_second`, nothing where no time lies between calls. With `reset`, at the end of a pass, exact."""
        num_tokens = self._num_tokens
        if is_distributed():
            num_tokens = dist_reduce_sum(num_tokens) if reset else num_tokens * torch.distributed.get_world_size()
        seconds = 0.0 if self._began is None else self._last - self._began
        if reset:
            self.reset()
        return {"tokens_per_second": num_tokens / seconds} if seconds > 0 else {}

    def reset(self) -> None:
        self._began: Optional[float] = None
        self._last = 0.0
        self._num_tokens = 0
