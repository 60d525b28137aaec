"""The oracle's softmax: full and sampled cross entropy with gradients, and what the log-uniform sampler must expect."""

from typing import Any, Dict, Tuple

import numpy

Array = numpy.ndarray
Cache = Dict[str, Any]


def log_uniform_probabilities(num_words: int) -> Array:
    """`p(k) = log((k + 2) / (k + 1)) / log(num_words + 1)` for every id k < num_words; they add up to 1."""
    k = numpy.arange(num_words)
    return numpy.log((k + 2.0) / (k + 1.0)) / numpy.log(num_words + 1.0)


def expected_counts(num_words: int, num_tries: int) -> Array:
    """`1 - (1 - p(k))^num_tries`: how likely id k is among the distinct ids of `num_tries` draws with replacement."""
    return -numpy.expm1(num_tries * numpy.log1p(-log_uniform_probabilities(num_words)))


def full_softmax(hidden: Array, targets: Array, weight: Array, bias: Array) -> Tuple[Array, Cache]:
    """Cross entropy of each token, shape (num_tokens,), over the logits `hidden @ weight.T + bias`.

    `hidden` (num_tokens, projection_dim), `targets` (num_tokens,), `weight` (num_words, projection_dim), `bias`
    (num_words,).
    """
    logits = hidden @ weight.T + bias
    logits -= logits.max(axis=1, keepdims=True)
    log_p = logits - numpy.log(numpy.exp(logits).sum(axis=1, keepdims=True))
    rows = numpy.arange(len(targets))
    return -log_p[rows, targets], {"p": numpy.exp(log_p), "targets": targets, "hidden": hidden, "weight": weight}


def full_softmax_backward(d_losses: Array, cache: Cache) -> Tuple[Array, Array, Array]:
    """Gradients of hidden, weight and bias."""
    d_logits = cache["p"] * d_losses[:, None]
    d_logits[numpy.arange(len(d_losses)), cache["targets"]] -= d_losses
    return d_logits @ cache["weight"], d_logits.T @ cache["hidden"], d_logits.sum(0)


def sampled_softmax(
    hidden: Array, targets: Array, sampled: Array, expected: Array, weight: Array, bias: Array
) -> Tuple[Array, Cache]:
    """Cross entropy of each token over its target and the sampled ids alone, shape (num_tokens,).

    From every logit the log of that id's expected count is taken away; a sampled id that is the token's own target is
    left out of that token's sum. `sampled` (num_samples,) distinct ids, `expected` (num_words,) all expected counts.
    """
    ids = numpy.concatenate([targets[:, None], numpy.tile(sampled, (len(targets), 1))], axis=1)
    logits = numpy.einsum("tp,tsp->ts", hidden, weight[ids]) + bias[ids] - numpy.log(expected[ids])
    logits[:, 1:][ids[:, 1:] == targets[:, None]] = -numpy.inf
    logits -= logits.max(axis=1, keepdims=True)
    log_p = logits - numpy.log(numpy.exp(logits).sum(axis=1, keepdims=True))
    return -log_p[:, 0], {"p": numpy.exp(log_p), "ids": ids, "hidden": hidden, "weight": weight}


def sampled_softmax_backward(d_losses: Array, cache: Cache) -> Tuple[Array, Array, Array]:
    """Gradients of hidden, weight and bias, zero in the rows of words that are neither target nor sampled."""
    d_logits = cache["p"] * d_losses[:, None]
    d_logits[:, 0] -= d_losses
    weight, ids, hidden = cache["weight"], cache["ids"], cache["hidden"]
    d_weight, d_bias = numpy.zeros_like(weight), numpy.zeros(len(weight))
    numpy.add.at(d_weight, ids, d_logits[:, :, None] * hidden[:, None, :])
    numpy.add.at(d_bias, ids, d_logits)
    return numpy.einsum("ts,tsp->tp", d_logits, weight[ids]), d_weight, d_bias
