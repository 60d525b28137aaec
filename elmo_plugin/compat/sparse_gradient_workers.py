"""
Sparse gradients in distributed training, such as those of an embedding with `sparse: true`.

torch's `DistributedDataParallel` must know beforehand whose gradients will be sparse, and looks for its own
`nn.Embedding` only.  AllenNLP wraps models with it (`nn/parallel/ddp_accelerator.py` 146), but its `Embedding` is no
`nn.Embedding`: the first step fails with "Cannot access storage of SparseTensorImpl".  Here every module with a
`sparse` that is true counts.  Gloo exchanges such gradients, NCCL does not, and then it is said before the first step.
"""

from typing import List, Set, Tuple

import torch
import torch.distributed as dist
from allennlp.common.checks import ConfigurationError
from allennlp.models import Model
from allennlp.nn.parallel.ddp_accelerator import DdpWrappedModel, TorchDdpAccelerator
from torch.nn.parallel import DistributedDataParallel

_wrap_as_dense = TorchDdpAccelerator.wrap_model


def sparse_parameters(model: torch.nn.Module) -> Set[str]:
    """The names of those that get sparse gradients, by the `sparse` of their modules."""
    return {
        f"{module_name}.{name}" if module_name else name
        for module_name, module in model.named_modules()
        if getattr(module, "sparse", False) is True
        for name, parameter in module.named_parameters(recurse=False)
        if parameter.requires_grad
    }


class _SparseDataParallel(DistributedDataParallel):
    def _build_params_for_reducer(self) -> Tuple[List[torch.nn.Parameter], List[bool]]:
        parameters, expect_sparse = super()._build_params_for_reducer()
        names = sparse_parameters(self.module)
        sparse = {id(parameter) for name, parameter in self.module.named_parameters() if name in names}
        return parameters, [found or id(each) in sparse for each, found in zip(parameters, expect_sparse)]


def _wrap_model(self: TorchDdpAccelerator, model: Model) -> Tuple[Model, DdpWrappedModel]:
    """As AllenNLP's, which does it where no gradient is sparse."""
    names = sparse_parameters(model)
    if not names:
        return _wrap_as_dense(self, model)
    if dist.get_backend() == "nccl":
        raise ConfigurationError(
            f"In distributed training on GPUs gradients can't be sparse, for NCCL does not exchange them, but those of "
            f"{', '.join(sorted(names))} are. Leave `sparse` of the embedding, or `sparse_softmax` of the language "
            f"model, out."
        )
    wrapped = _SparseDataParallel(model, **self._ddp_kwargs)
    # The names in a state dict, as AllenNLP has them.
    wrapped._register_state_dict_hook(TorchDdpAccelerator._remove_torch_ddp_prefix)
    wrapped._register_load_state_dict_pre_hook(TorchDdpAccelerator._add_torch_ddp_prefix)
    return model, DdpWrappedModel(wrapped, local_rank=self.local_rank, world_size=self.world_size)


def is_needed() -> bool:
    """Always: an `Embedding` of AllenNLP's is never an `nn.Embedding`."""
    return True


def apply() -> None:
    TorchDdpAccelerator.wrap_model = _wrap_model
