"""Adagrad whose step on a CPU goes through weights, gradients and sums once."""

from typing import Any, Callable, Dict, List, Optional

import torch
from allennlp.training.optimizers import AdagradOptimizer, Optimizer
from torch import Tensor
from torch.optim.adagrad import adagrad

_OPTIONS = ("lr", "lr_decay", "weight_decay", "eps", "maximize", "foreach")


@Optimizer.register("elmo_adagrad")
class FusedAdagrad(AdagradOptimizer):
    """
    Adagrad (Duchi et al. 2011): the same steps to rounding, the same arguments and the same checkpoints as AllenNLP's
    `adagrad`. With gradient g of step t, weight_decay · w included,

        s ← s + g²
        w ← w - lr / (1 + (t - 1) lr_decay) · g / (√s + eps)

    By default torch computes this on a CPU operation by operation, each through memory. Here torch's fused kernel does
    it in one go for weights on a CPU, in float32 or float64, with dense gradients. The others, with sparse gradients or
    on a GPU, are updated as ever: torch's own `fused=True` refuses sparse ones, which `elmo_sparse_softmax` makes.

    Registered as an `Optimizer` with name "elmo_adagrad".

    ```jsonnet
    { "type": "elmo_adagrad", "lr": 0.2, "initial_accumulator_value": 1.0 }
    ```
    """

    @torch.no_grad()
    def step(self, closure: Optional[Callable[[], Any]] = None) -> Any:
        """
        # Parameters

        closure : computes the loss anew, with its gradients.

        # Returns

        What the closure returned, or `None` without one.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            learning = [parameter for parameter in group["params"] if parameter.grad is not None]
            for fused in (True, False):
                parameters = [parameter for parameter in learning if self._is_for_the_kernel(parameter) == fused]
                self._update(group, parameters, fused or group["fused"])
        return loss

    def _is_for_the_kernel(self, parameter: Tensor) -> bool:
        """The kernel does not look at strides: it takes every tensor for a row of numbers."""
        if parameter.device.type != "cpu" or parameter.dtype not in (torch.float32, torch.float64):
            return False
        tensors = (parameter, parameter.grad, self.state[parameter]["sum"])
        return all(tensor.layout == torch.strided and tensor.is_contiguous() for tensor in tensors)

    def _update(self, group: Dict[str, Any], parameters: List[Tensor], fused: Optional[bool]) -> None:
        adagrad(
            parameters,
            [parameter.grad for parameter in parameters],
            [self.state[parameter]["sum"] for parameter in parameters],
            [self.state[parameter]["step"] for parameter in parameters],
            fused=fused,
            has_sparse_grad=any(parameter.grad.is_sparse for parameter in parameters),
            has_complex=any(parameter.is_complex() for parameter in parameters),
            **{name: group[name] for name in _OPTIONS},
        )
