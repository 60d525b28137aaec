"""CUDA graphs without a GPU: a replay executes the function anew, on the very tensors that were captured."""

from typing import Any, Callable, List

import pytest
import torch
from torch.utils._pytree import tree_leaves

from elmo_plugin.bilm.ops import cuda_graphs
from elmo_plugin.bilm.ops.cuda_graphs import NUM_WARM_UPS, Captured


class ExecutedGraphs:
    """
    Takes the place of `cuda_graphs.capture`. As with real ones, capturing leaves nothing of use in what the function
    returned, and a replay writes there, over what the one before has left.

    `replays` counts, for each function captured.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.replays: List[int] = []
        patch.setattr(cuda_graphs, "capture", self._capture)

    def _capture(self, function: Callable[[], Any], device: torch.device, pool: Any = None) -> "Captured[Any]":
        assert not torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
        for _ in range(NUM_WARM_UPS):
            function()
        outputs, number = function(), len(self.replays)
        places = tree_leaves(outputs)
        for place in places:
            place.fill_(torch.nan)
        self.replays.append(0)

        def replay() -> None:
            self.replays[number] += 1
            with torch.no_grad():
                for place, result in zip(places, tree_leaves(function())):
                    if result is not place:
                        place.copy_(result)

        return Captured(outputs, replay, object() if pool is None else pool)
