"""What a model's embedders learned to mix, for its metrics."""

from typing import Dict

import torch


def mix_metrics(model: torch.nn.Module) -> Dict[str, float]:
    """
    `mix_metrics()` of every module that has it, such as `ElmoEmbedder`.

    Two embedders would write the same keys; the second one's are told apart by its place in the model.
    """
    metrics: Dict[str, float] = {}
    for name, module in model.named_modules():
        if callable(getattr(module, "mix_metrics", None)):
            for key, value in module.mix_metrics().items():
                metrics[key if key not in metrics else f"{name}/{key}"] = value
    return metrics
