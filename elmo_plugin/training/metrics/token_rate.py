"""How fast training goes."""

import time
from typing import Optional

from allennlp.nn.util import dist_reduce_sum
from allennlp.training.metrics import Metric


@Metric.register("elmo_token_rate")
class TokenRate(Metric):
    """
    Tokens per second of wall-clock time, on all workers together, since the first call after a reset; that call's own
    tokens, whose time was not seen, do not count.

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
            self._num_tokens += dist_reduce_sum(num_tokens)
        self._last = now

    def get_metric(self, reset: bool = False) -> float:
        """Tokens per second; 0.0 before the second call."""
        seconds = 0.0 if self._began is None else self._last - self._began
        rate = self._num_tokens / seconds if seconds > 0 else 0.0
        if reset:
            self.reset()
        return rate

    def reset(self) -> None:
        self._began: Optional[float] = None
        self._last = 0.0
        self._num_tokens = 0
