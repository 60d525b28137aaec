"""
`grad_norm` with sparse gradients, such as those of an embedding with `sparse: true`.

torch's `clip_grad_norm_` calls `linalg.vector_norm`, which has no sparse kernel in torch 2.11 and 2.13 (2.15 has one),
where the torch of AllenNLP's day called `Tensor.norm`.  AllenNLP uses it in `training/gradient_descent_trainer.py` 389,
in `nn/parallel/ddp_accelerator.py` 73 and in `training/util.py` 252; the name is replaced in those three modules.
"""

from typing import Iterable, List, Union

import torch
from allennlp.nn.parallel import ddp_accelerator
from allennlp.training import gradient_descent_trainer
from allennlp.training import util as training_util
from torch import Tensor


def gradient_values(parameters: Iterable[Tensor]) -> List[Tensor]:
    """
    The stored values of each gradient there is, which the caller may change in place.

    A sparse gradient is coalesced first: it lists a row once for every use of that row, and only the sums of these
    parts are values of the gradient.
    """
    values = []
    for parameter in parameters:
        if parameter.grad is None:
            continue
        if parameter.grad.is_sparse:
            parameter.grad = parameter.grad.coalesce()
            values.append(parameter.grad.values())
        else:
            values.append(parameter.grad)
    return values


@torch.no_grad()
def clip_grad_norm_(parameters: Union[Tensor, Iterable[Tensor]], max_norm: float) -> Tensor:
    """
    Scales all gradients by `min(1, max_norm / (norm + 1e-6))` in place and returns `norm`, their common 2-norm before.

    torch's own function does the work where no gradient is sparse.

    # Parameters

    parameters : `Union[Tensor, Iterable[Tensor]]`
        Those without a gradient are passed over.
    max_norm : `float`
        The largest norm that the gradients may have together.
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not any(parameter.grad is not None and parameter.grad.is_sparse for parameter in parameters):
        return torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    values = gradient_values(parameters)
    norm = torch.nn.utils.get_total_norm(values)
    scale = torch.clamp(max_norm / (norm + 1e-6), max=1.0)
    # On another device it would be waited for.
    if scale.device.type == "cpu" and scale == 1.0:
        return norm
    for gradient in values:
        gradient.mul_(scale.to(gradient.device))
    return norm


def row_used_twice() -> torch.nn.Parameter:
    """An embedding of one number with the sparse gradient 1 + 1, made without starting autograd's threads."""
    parameter = torch.nn.Parameter(torch.zeros(1, 1))
    parameter.grad = torch.ops.aten.embedding_sparse_backward(torch.ones(2, 1), torch.tensor([0, 0]), 1, -1, False)
    return parameter


def is_needed() -> bool:
    """Whether torch's own function refuses a sparse gradient, or miscounts a row that it lists twice."""
    parameter = row_used_twice()
    try:
        norm = torch.nn.utils.clip_grad_norm_([parameter], 1.0)
    except NotImplementedError:
        return True
    return norm.item() != 2.0 or not 0.999 < parameter.grad.to_dense().item() <= 1.0


def apply() -> None:
    for module in (gradient_descent_trainer, ddp_accelerator, training_util):
        module.clip_grad_norm_ = clip_grad_norm_
