import pytest
import torch

from elmo_plugin.bilm.out_of_memory import OutOfMemory, out_of_memory_as


def allocate_too_much():
    torch.empty(2**60)


def raise_memory_error():
    raise MemoryError("array of 3 TiB")


def raise_as_a_gpu_does():
    raise torch.OutOfMemoryError("CUDA out of memory")


def raise_as_small_allocations_of_torch_do():
    raise RuntimeError("std::bad_alloc")


def raise_as_a_full_gpu_does():
    raise RuntimeError("CUDA error: out of memory")


def raise_as_the_libraries_of_a_gpu_do():
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def raise_as_named():
    raise OutOfMemory("Make batches smaller")


@pytest.mark.parametrize(
    "function",
    [
        allocate_too_much,
        raise_memory_error,
        raise_as_a_gpu_does,
        raise_as_a_full_gpu_does,
        raise_as_the_libraries_of_a_gpu_do,
        raise_as_small_allocations_of_torch_do,
    ],
)
def test_running_out_of_memory_anywhere_is_one_error_with_the_remedy(function):
    with pytest.raises(OutOfMemory, match="Make batches smaller .*"):
        with out_of_memory_as("Make batches smaller"):
            function()


def test_what_is_already_explained_stays_as_it_is():
    with pytest.raises(OutOfMemory, match="^Make batches smaller$"):
        with out_of_memory_as("another remedy"):
            raise_as_named()


@pytest.mark.parametrize("error", [RuntimeError("shapes do not fit"), ValueError("no")])
def test_other_errors_pass_as_they_are(error):
    with pytest.raises(type(error)) as raised:
        with out_of_memory_as("Make batches smaller"):
            raise error
    assert raised.value is error


def test_it_is_a_runtime_error_as_torchs_own_is():
    assert issubclass(OutOfMemory, RuntimeError)
