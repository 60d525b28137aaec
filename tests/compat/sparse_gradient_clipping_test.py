from types import SimpleNamespace

import pytest
import torch
from allennlp.training.gradient_descent_trainer import GradientDescentTrainer

from elmo_plugin.compat import sparse_gradient_clipping
from tests.compat import scenarios


def trainer_of(model, grad_clipping, scaler=None, optimizer=None):
    """The part of a trainer that clipping reads."""
    return SimpleNamespace(model=model, _grad_clipping=grad_clipping, _scaler=scaler, optimizer=optimizer)


def embedding_with_gradient(sparse=True):
    """Row 1 is used twice with opposite signs: its parts are 3 and -2.5, its gradient is 0.5."""
    embedding = torch.nn.Embedding(3, 1, sparse=sparse)
    (embedding(torch.tensor([1, 2, 1])).squeeze(1) * torch.tensor([3.0, -4.0, -2.5])).sum().backward()
    return embedding


def test_a_training_with_grad_clipping_fails_without_the_mend(unmended):
    failed = "clamp" in unmended["grad_clipping_of_sparse_gradients"].get("error", "")
    assert sparse_gradient_clipping.is_needed() == failed


def test_a_training_with_sparse_gradients_is_the_same_as_with_dense_ones(tmp_path):
    (tmp_path / "dense").mkdir()
    dense = scenarios.train(tmp_path / "dense", {"trainer": {"grad_clipping": 0.001}})
    assert scenarios.grad_clipping_of_sparse_gradients(tmp_path) == pytest.approx(dense, rel=1e-5)


@pytest.mark.parametrize("sparse", [True, False], ids=["sparse", "dense"])
def test_the_sum_of_a_row_is_clipped_and_not_its_parts(sparse):
    embedding = embedding_with_gradient(sparse)
    GradientDescentTrainer.clip_gradient(trainer_of(embedding, 1.0))
    assert embedding.weight.grad.is_sparse == sparse
    assert embedding.weight.grad.to_dense().flatten().tolist() == [0.0, 0.5, -1.0]


def test_no_clipping_leaves_the_gradients_and_zero_is_a_clip():
    embedding = embedding_with_gradient()
    GradientDescentTrainer.clip_gradient(trainer_of(embedding, None))
    assert embedding.weight.grad.to_dense().flatten().tolist() == [0.0, 0.5, -4.0]
    GradientDescentTrainer.clip_gradient(trainer_of(embedding, 0.0))
    assert embedding.weight.grad.to_dense().flatten().tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("unscaled_before", [True, False])
def test_scaled_gradients_are_unscaled_exactly_once(unscaled_before):
    embedding = embedding_with_gradient()
    optimizer = torch.optim.SGD(embedding.parameters(), lr=1.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    scaler.scale(torch.zeros(1))  # makes the scaler's own tensor, as scaling the loss does
    if unscaled_before:
        scaler.unscale_(optimizer)
    GradientDescentTrainer.clip_gradient(trainer_of(embedding, 1.5, scaler, optimizer))
    assert embedding.weight.grad.to_dense().flatten().tolist() == [0.0, 0.25, -1.5]
