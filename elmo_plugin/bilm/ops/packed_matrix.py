"""Matrices of weights in fewer bits, as what bounds a product with few rows is reading the weights."""

from typing import Any, Dict, Optional

import torch
from torch import Tensor

FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
PRECISIONS = (FLOAT32, FLOAT16, INT8)
# Of torch's engines for such products, those that have both.
_ENGINES = ("x86", "fbgemm")


class PackedMatrix:
    """
    `rows weightᵀ + bias`, without gradients, by torch's own products (FBGEMM).

        "float16": each weight rounded to half precision, sums in float32
        "int8":    each row of `weight` to 8 bits with a scale of its own; `rows` to 7 bits, with one scale for all

    So under `"int8"` a row's result depends on the rows beside it, within its own precision. It is 7 bits because two
    products of 8 by 8 bits would not fit into the 16 that processors of before 2019 add them up in.

    # Parameters

    weight : Shape: (out, in), `float32`, on the CPU
    precision : `"float16"` or `"int8"`.
    bias : Shape: (out,)

    # Raises

    `ValueError` where the weights are elsewhere, or this torch can't do it.
    """

    def __init__(self, weight: Tensor, precision: str, bias: Optional[Tensor] = None) -> None:
        check_precision(precision, weight.device)
        if weight.dtype != torch.float32:
            raise ValueError(f"Only weights of float32 are packed as {precision}, but these are {weight.dtype}.")
        self.precision = precision
        bias = None if bias is None else bias.detach()
        if precision == FLOAT16:
            self._packed = torch.ops.quantized.linear_prepack_fp16(weight.detach(), bias)
        else:
            self._packed = torch.ops.quantized.linear_prepack(_to_8_bits(weight.detach()), bias)

    def __call__(self, rows: Tensor) -> Tensor:
        """Shape: (any number, in) to (any number, out)"""
        if self.precision == FLOAT16:
            return torch.ops.quantized.linear_dynamic_fp16(rows, self._packed)
        return torch.ops.quantized.linear_dynamic(rows, self._packed, True)

    def __getstate__(self) -> Dict[str, Any]:
        operations = torch.ops.quantized
        unpack = operations.linear_unpack_fp16 if self.precision == FLOAT16 else operations.linear_unpack
        return {"precision": self.precision, "unpacked": unpack(self._packed)}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.precision = state["precision"]
        operations = torch.ops.quantized
        prepack = operations.linear_prepack_fp16 if self.precision == FLOAT16 else operations.linear_prepack
        self._packed = prepack(*state["unpacked"])


def check_precision(precision: str, device: torch.device) -> None:
    """
    # Raises

    `ValueError` for an unknown precision, and where there are no such products.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"`weights` (--weights) must be one of {', '.join(PRECISIONS)}, but it is {precision!r}.")
    if precision == FLOAT32:
        return
    if device.type != "cpu":
        raise ValueError(
            f"`weights` (--weights) of {precision} are for the CPU, but the biLM is on {device}. Leave them at float32 "
            "there."
        )
    engine = torch.backends.quantized.engine
    if engine not in _ENGINES:
        raise ValueError(
            f"`weights` (--weights) of {precision} need torch's engine {' or '.join(_ENGINES)}, which processors of "
            f"x86 with AVX2 have, but the engine here is {engine!r}. Leave them at float32."
        )


def _to_8_bits(weight: Tensor) -> Tensor:
    """From -127 to 127 times a scale for each row."""
    scales = (weight.abs().amax(dim=1).double() / 127).clamp(min=1e-12)
    return torch.quantize_per_channel(weight, scales, torch.zeros(len(weight), dtype=torch.int64), 0, torch.qint8)
