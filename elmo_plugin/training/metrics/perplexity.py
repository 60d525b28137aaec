"""Perplexity of a bidirectional language model."""

import math
from typing import Dict, List, NamedTuple, Optional

import torch
from allennlp.nn.util import dist_reduce_sum
from allennlp.training.metrics import Metric


@Metric.register("elmo_perplexity")
class BidirectionalPerplexity(Metric):
    """
    `exp(sum of losses / number of tokens)` for the forward and the backward direction, and their geometric mean.

    Every token counts the same, whatever batch it was in, on all workers together. Losses of a sampled softmax are no
    log-probabilities: for them use `sampled=True`, and what is reported is a loss and called so.

    A GPU is not waited for: until the end of a pass, what is reported leaves out batches whose sums are still under
    way.

    Registered as a `Metric` with name "elmo_perplexity".

    ```jsonnet
    { "type": "elmo_perplexity" }
    ```
    """

    def __init__(self) -> None:
        self.reset()

    def __call__(self, forward_loss: torch.Tensor, backward_loss: torch.Tensor, sampled: bool = False) -> None:
        """
        # Parameters

        forward_loss, backward_loss : `torch.Tensor`
            Of each token, in nats. Shape: (num_tokens,)
        sampled : `bool`
            Whether the losses come from a sampled softmax.
        """
        sums = torch.stack([forward_loss.detach().double().sum(), backward_loss.detach().double().sum()])
        # One exchange between the workers for all three.
        sums = dist_reduce_sum(torch.cat([sums, sums.new_full((1,), forward_loss.numel())]))
        self._under_way.append(_under_way(sums, sampled))
        self._take_in(wait=False)

    def get_metric(self, reset: bool = False) -> Dict[str, float]:
        """
        `forward_perplexity`, `backward_perplexity` and `perplexity` where exact losses were seen; `sampled_loss`, in
        nats per token, where sampled ones were. With `reset`, at the end of a pass, also how many `tokens` it was.
        """
        self._take_in(wait=reset)
        metrics: Dict[str, float] = {}
        forward_sum, backward_sum, count = self._exact
        if count:
            metrics["forward_perplexity"] = _exp(forward_sum / count)
            metrics["backward_perplexity"] = _exp(backward_sum / count)
            metrics["perplexity"] = _exp((forward_sum + backward_sum) / (2 * count))
            if reset:
                metrics["tokens"] = int(count)
        forward_sum, backward_sum, count = self._sampled
        if count:
            metrics["sampled_loss"] = (forward_sum + backward_sum) / (2 * count)
        if reset:
            self.reset()
        return metrics

    def reset(self) -> None:
        # Sums of losses forward and backward, number of tokens in one direction.
        self._exact = [0.0, 0.0, 0.0]
        self._sampled = [0.0, 0.0, 0.0]
        self._under_way: List[_UnderWay] = []

    def _take_in(self, wait: bool) -> None:
        while self._under_way:
            sums, sampled, copied = self._under_way[0]
            if copied is not None and wait:
                copied.synchronize()
            elif copied is not None and not copied.query():
                return
            totals = self._sampled if sampled else self._exact
            for index, total in enumerate(sums.tolist()):
                totals[index] += total
            del self._under_way[0]


class _UnderWay(NamedTuple):
    """
    A batch's sums on their way from the GPU.

    sums : in the computer's memory. Shape: (3,)
    sampled : whether they are of a sampled softmax.
    copied : has come to pass when they are there; `None` if they are.
    """

    sums: torch.Tensor
    sampled: bool
    copied: Optional[torch.cuda.Event]


def _under_way(sums: torch.Tensor, sampled: bool) -> _UnderWay:
    if sums.device.type != "cuda":
        return _UnderWay(sums, sampled, None)
    with torch.cuda.device_of(sums):
        copied = torch.cuda.Event()
        here = torch.empty(sums.shape, dtype=sums.dtype, pin_memory=True).copy_(sums, non_blocking=True)
        copied.record()
    return _UnderWay(here, sampled, copied)


def _exp(mean_loss: float) -> float:
    """Infinity where a `float` ends, as a metric that grows without bound should read."""
    return math.inf if mean_loss > 700 else math.exp(mean_loss)
