"""Triton kernels without a GPU: run by Triton's interpreter, program after program, on tensors of the CPU."""

import importlib.util
from types import ModuleType

import pytest


def interpreted(module: ModuleType) -> ModuleType:
    """
    A second copy of a module of kernels, whose kernels are interpreted. The module itself stays as it is, and so does
    what else of this process uses Triton: it asks for the interpreter when a kernel is defined.
    """
    spec = importlib.util.spec_from_file_location(f"{module.__name__}_interpreted", module.__file__)
    copy = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_INTERPRET", "1")
        spec.loader.exec_module(copy)
    return copy
