import math

import pytest
import torch
from allennlp.nn.parallel import ddp_accelerator
from allennlp.training import gradient_descent_trainer
from allennlp.training import util as training_util

from elmo_plugin.compat import sparse_gradient_norm
from elmo_plugin.compat.sparse_gradient_norm import clip_grad_norm_
from tests.compat import scenarios


def embedding_and_bias(sparse: bool):
    """Gradients of row 1, used twice, row 2, and a dense bias; 'unused' has none."""
    torch.manual_seed(3)
    embedding = torch.nn.Embedding(4, 3, sparse=sparse)
    bias, unused = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2))
    vectors = embedding(torch.tensor([1, 2, 1]))
    ((vectors * torch.tensor([[1.0], [2.0], [5.0]])).sum(dim=0) * bias).sum().backward()
    return [embedding.weight, unused, bias]


def test_a_training_with_grad_norm_fails_without_the_mend(unmended):
    failed = "vector_norm" in unmended["grad_norm_of_sparse_gradients"].get("error", "")
    assert sparse_gradient_norm.is_needed() == failed


def test_a_training_with_sparse_gradients_is_the_same_as_with_dense_ones(tmp_path):
    (tmp_path / "dense").mkdir()
    dense = scenarios.train(tmp_path / "dense", {"trainer": {"grad_norm": 0.01}})
    assert scenarios.grad_norm_of_sparse_gradients(tmp_path) == pytest.approx(dense, rel=1e-5)


@pytest.mark.parametrize("max_norm", [0.5, 1000.0], ids=["clipped", "kept"])
def test_norm_and_gradients_equal_those_of_dense_gradients(max_norm):
    sparse, dense = embedding_and_bias(True), embedding_and_bias(False)
    expected = torch.nn.utils.clip_grad_norm_(dense, max_norm)
    torch.testing.assert_close(clip_grad_norm_(sparse, max_norm), expected)
    for ours, theirs in zip(sparse, dense):
        assert (ours.grad is None) == (theirs.grad is None)
        if ours.grad is not None:
            torch.testing.assert_close(ours.grad.to_dense(), theirs.grad)


def test_the_clipped_gradients_stay_sparse():
    parameters = embedding_and_bias(True)
    clip_grad_norm_(iter(parameters), 0.5)
    assert parameters[0].grad.is_sparse
    assert parameters[0].grad._nnz() == 2
    values = [parameters[0].grad.coalesce().values(), parameters[2].grad]
    assert math.sqrt(sum(float(value.square().sum()) for value in values)) == pytest.approx(0.5, rel=1e-4)


def test_a_single_parameter_and_no_gradient_at_all_are_taken_as_torch_takes_them():
    parameter = sparse_gradient_norm.row_used_twice()
    assert clip_grad_norm_(parameter, 1.0).item() == 2.0
    assert clip_grad_norm_([torch.nn.Parameter(torch.ones(1))], 1.0).item() == 0.0


def test_dense_gradients_are_left_to_torch():
    ours, theirs = embedding_and_bias(False), embedding_and_bias(False)
    assert clip_grad_norm_(ours, 0.5).item() == torch.nn.utils.clip_grad_norm_(theirs, 0.5).item()
    assert all(torch.equal(a.grad, b.grad) for a, b in zip(ours, theirs) if a.grad is not None)


def test_the_name_is_replaced_wherever_allennlp_imported_it():
    expected = clip_grad_norm_ if sparse_gradient_norm.is_needed() else torch.nn.utils.clip_grad_norm_
    for module in (gradient_descent_trainer, ddp_accelerator, training_util):
        assert module.clip_grad_norm_ is expected
