"""Numbers on their way to the device that computes, which the computer need not wait for."""

import torch
from torch import Tensor


def on_device(tensor: Tensor, device: torch.device) -> Tensor:
    """
    The same numbers on a device. Where they go to a GPU, what comes next is prepared while they are under way: the GPU
    does all in the order in which it is told. Numbers that come back from one are waited for.
    """
    return tensor.to(device, non_blocking=device.type == "cuda")
