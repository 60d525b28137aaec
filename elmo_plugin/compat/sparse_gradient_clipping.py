"""
`grad_clipping` (by value) with sparse gradients, such as those of an embedding with `sparse: true`.

AllenNLP (`training/gradient_descent_trainer.py` 368) calls torch's `clip_grad_value_`, whose `clamp_` has never had a
sparse kernel.  It is mended with `grad_norm`, or a config that sets both would only fail one line later.
"""

import torch
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer
from torch.amp.grad_scaler import OptState

from elmo_plugin.compat.sparse_gradient_norm import gradient_values, row_used_twice


@torch.no_grad()
def _clip_gradient(self: GradientDescentTrainer) -> None:
    """Clamps all values of all gradients to `[-grad_clipping, grad_clipping]`, unscaled first if there is a scaler."""
    if self._grad_clipping is None:
        return
    if self._scaler is not None:
        # `grad_norm` may have unscaled in this step, and the scaler refuses to do it twice.
        stage = self._scaler._per_optimizer_states[id(self.optimizer)]["stage"]
        if stage is not OptState.UNSCALED:
            self._scaler.unscale_(self.optimizer)
    for gradient in gradient_values(self.model.parameters()):
        gradient.clamp_(-self._grad_clipping, self._grad_clipping)


def is_needed() -> bool:
    """Whether torch's own function refuses a sparse gradient, or clips the parts of a row that it lists twice."""
    parameter = row_used_twice()
    try:
        torch.nn.utils.clip_grad_value_([parameter], 1.0)
    except NotImplementedError:
        return True
    return parameter.grad.to_dense().item() != 1.0


def apply() -> None:
    GradientDescentTrainer.clip_gradient = _clip_gradient
