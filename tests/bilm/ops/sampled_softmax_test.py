"""The sum over a sample: the fast peer against the definition, values and gradients."""

import pytest
import torch

from elmo_plugin.bilm.ops.sampled_softmax import log_sum_over_sample
from elmo_plugin.bilm.ops.sampled_softmax_inplace import log_sum_over_sample_inplace

# Targets and sampled words.
CASES = {
    "some targets are sampled": ([3, 0, 9, 3, 5], [7, 3, 1, 9, 2, 4]),
    "no target is sampled": ([3, 0, 9], [7, 1]),
    "every target is sampled": ([1, 7, 7], [7, 1, 5]),
    "nothing but the target is sampled": ([4, 2, 4], [4]),
    "one token": ([8], [1, 8, 0]),
    "no tokens": ([], [1, 8, 0]),
}
cases = pytest.mark.parametrize("targets, sampled", CASES.values(), ids=CASES.keys())


def random_inputs(num_tokens, num_samples, dim=5, scale=1.0):
    """Vectors, weight and bias, `float64`."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((num_tokens, dim), (num_samples, dim), (num_samples,))
    return [torch.randn(shape, dtype=torch.float64, generator=generator) * scale for shape in shapes]


def run(log_sum, inputs, targets, sampled, dtype=torch.float64):
    """The values, and the gradients of the three inputs through what the loss makes of the values."""
    leaves = [tensor.to(dtype, copy=True).requires_grad_() for tensor in inputs]
    values = log_sum(*leaves, targets, sampled)
    true_logits = torch.linspace(-1.0, 1.0, len(targets), dtype=dtype)
    losses = torch.logaddexp(true_logits, values) - true_logits
    slopes = torch.linspace(1.0, 2.0, len(targets), dtype=dtype)
    return [values.detach(), *torch.autograd.grad(losses, leaves, slopes)]


@cases
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_the_fast_sum_equals_the_plain_one_forward_and_backward(targets, sampled, scale):
    ids = torch.tensor(targets, dtype=torch.int64), torch.tensor(sampled)
    inputs = random_inputs(len(targets), len(sampled), scale=scale)
    plain, fast = (run(f, inputs, *ids) for f in (log_sum_over_sample, log_sum_over_sample_inplace))
    for plain_one, fast_one in zip(plain, fast):
        torch.testing.assert_close(fast_one, plain_one, rtol=1e-12, atol=1e-12)


def test_in_float32_it_is_as_near_to_float64_as_the_plain_one():
    targets, sampled = torch.arange(300) % 70, torch.randperm(90, generator=torch.Generator().manual_seed(1))[:60]
    inputs = [tensor.float() for tensor in random_inputs(300, 60, dim=33)]
    exact = run(log_sum_over_sample, inputs, targets, sampled)
    plain = run(log_sum_over_sample, inputs, targets, sampled, torch.float32)
    fast = run(log_sum_over_sample_inplace, inputs, targets, sampled, torch.float32)
    for exact_one, plain_one, fast_one in zip(exact, plain, fast):
        allowed = (plain_one - exact_one).abs().max() + 1e-6 * max(1.0, float(exact_one.abs().max()))
        assert (fast_one - exact_one).abs().max() <= allowed


def test_gradients_agree_with_finite_differences():
    targets, sampled = map(torch.tensor, CASES["some targets are sampled"])
    inputs = [tensor.requires_grad_() for tensor in random_inputs(len(targets), len(sampled))]
    assert torch.autograd.gradcheck(lambda *given: log_sum_over_sample_inplace(*given, targets, sampled), inputs)


def test_one_can_go_back_through_it_twice_and_without_gradients_it_keeps_nothing():
    targets, sampled = map(torch.tensor, CASES["some targets are sampled"])
    vectors, weight, bias = random_inputs(len(targets), len(sampled))
    values = log_sum_over_sample_inplace(vectors.requires_grad_(), weight, bias, targets, sampled)
    once, twice = (torch.autograd.grad(values.sum(), vectors, retain_graph=True)[0] for _ in range(2))
    assert once.abs().sum() > 0 and torch.equal(once, twice)
    with torch.no_grad():
        assert log_sum_over_sample_inplace(vectors, weight, bias, targets, sampled).grad_fn is None


def test_gradients_of_gradients_are_refused():
    targets, sampled = map(torch.tensor, CASES["some targets are sampled"])
    vectors, weight, bias = random_inputs(len(targets), len(sampled))
    values = log_sum_over_sample_inplace(vectors.requires_grad_(), weight, bias, targets, sampled)
    (gradient,) = torch.autograd.grad(values.square().sum(), vectors, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
