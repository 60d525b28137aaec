import pytest
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.modules.token_embedders import Embedding
from allennlp.nn.parallel import TorchDdpAccelerator

from elmo_plugin.compat import sparse_gradient_workers
from tests.two_workers import on_two_workers

# For each worker and each of two backward passes the rows that are used; in one of them a worker has none.
ROWS = [[[1, 2, 2], [5]], [[2, 7], []]]


class Model(torch.nn.Module):
    def __init__(self, sparse: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = Embedding(embedding_dim=3, num_embeddings=10, sparse=sparse)
        self.projection = torch.nn.Linear(3, 2)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return self.projection(self.embedding(rows)).square().sum()


def gradients(worker: int, sparse: bool) -> dict:
    model, wrapped = TorchDdpAccelerator(local_rank=worker, world_size=2).wrap_model(Model(sparse))
    assert wrapped.state_dict().keys() == model.state_dict().keys()
    wrapped.load_state_dict(model.state_dict())
    for rows in ROWS[worker]:
        wrapped.model(torch.tensor(rows, dtype=torch.long)).backward()
    assert model.embedding.weight.grad.is_sparse == sparse
    return {name: parameter.grad.to_dense() for name, parameter in model.named_parameters()}


def check_that_sparse_gradients_are_the_dense_ones(worker, world_size, gpu_id):
    dense, sparse = gradients(worker, False), gradients(worker, True)
    assert dense["embedding.weight"].count_nonzero() > 0
    for name, gradient in dense.items():
        torch.testing.assert_close(sparse[name], gradient)


def check_that_it_fails_without_the_mend(worker, world_size, gpu_id):
    TorchDdpAccelerator.wrap_model = sparse_gradient_workers._wrap_as_dense
    with pytest.raises(NotImplementedError, match="storage of SparseTensorImpl"):
        gradients(worker, True)


def test_workers_add_their_sparse_gradients_up_as_they_do_dense_ones():
    on_two_workers(check_that_sparse_gradients_are_the_dense_ones)


def test_without_the_mend_the_first_step_fails():
    on_two_workers(check_that_it_fails_without_the_mend)


def test_on_gpus_the_error_says_what_to_leave_out(monkeypatch):
    monkeypatch.setattr(sparse_gradient_workers.dist, "get_backend", lambda: "nccl")
    accelerator = TorchDdpAccelerator(local_rank=0, world_size=2)
    with pytest.raises(ConfigurationError, match=r"those of embedding\.weight are\. Leave `sparse`.*`sparse_softmax`"):
        accelerator.wrap_model(Model(sparse=True))


def test_frozen_embeddings_have_no_gradients_to_exchange():
    model = Model(sparse=True)
    assert sparse_gradient_workers.sparse_parameters(model) == {"embedding.weight"}
    model.embedding.weight.requires_grad_(False)
    assert sparse_gradient_workers.sparse_parameters(model) == set()
