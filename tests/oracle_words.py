"""The oracle's first half: words to character ids to vectors, with the gradients of every weight on the way."""

from typing import Any, Dict, Sequence, Tuple

import numpy

from tests.oracle_weights import Options, Weights

Array = numpy.ndarray
Cache = Dict[str, Any]


def sigmoid(x: Array) -> Array:
    return 0.5 * (1.0 + numpy.tanh(0.5 * x))


def words_to_characters(words: Sequence[str], max_characters: int) -> Array:
    """Ids: begin-word, max_characters - 2 bytes at most, end-word, padding. Shape: (num_words, max_characters)"""
    marks = {"<S>": [256], "</S>": [257]}
    ids = numpy.full((len(words), max_characters), 260)
    for row, word in zip(ids, words):
        inner = marks.get(word, list(word.encode("utf-8")))[: max_characters - 2]
        row[: len(inner) + 2] = [258, *inner, 259]
    return ids + 1


def encode_words(ids: Array, weights: Weights, options: Options) -> Tuple[Array, Cache]:
    """Vectors (num_types, projection_dim) of words: characters (num_types, max_characters) or word ids (num_types,)."""
    if "char_cnn" not in options:
        table = numpy.vstack([numpy.zeros_like(weights["embedding"][:1]), weights["embedding"]])
        return table[ids], {"ids": ids, "table": table}
    x, cache = char_convolutions(ids, weights, options["char_cnn"])
    cache.update(weights=weights, highways=[], num_highways=options["char_cnn"].get("n_highway", 0))
    for k in range(cache["num_highways"]):
        pre = x @ weights[f"CNN_high_{k}/W_transform"] + weights[f"CNN_high_{k}/b_transform"]
        carry = sigmoid(x @ weights[f"CNN_high_{k}/W_carry"] + weights[f"CNN_high_{k}/b_carry"])
        cache["highways"].append((x, pre, carry))
        x = carry * numpy.maximum(pre, 0.0) + (1.0 - carry) * x
    cache["projected"] = x
    if "CNN_proj/W_proj" in weights:
        x = x @ weights["CNN_proj/W_proj"] + weights["CNN_proj/b_proj"]
    return x, cache


def encode_words_backward(d_x: Array, cache: Cache) -> Weights:
    """Gradients of all weights of the word encoder, given those of the vectors."""
    if "table" in cache:
        d_table = numpy.zeros_like(cache["table"])
        numpy.add.at(d_table, cache["ids"], d_x)
        return {"embedding": d_table[1:]}
    weights, grads = cache["weights"], {}
    if "CNN_proj/W_proj" in weights:
        grads["CNN_proj/W_proj"] = cache["projected"].T @ d_x
        grads["CNN_proj/b_proj"] = d_x.sum(0)
        d_x = d_x @ weights["CNN_proj/W_proj"].T
    for k in reversed(range(cache["num_highways"])):
        x, pre, carry = cache["highways"][k]
        d_pre = d_x * carry * (pre > 0.0)
        d_gate = d_x * (numpy.maximum(pre, 0.0) - x) * carry * (1.0 - carry)
        grads[f"CNN_high_{k}/W_transform"], grads[f"CNN_high_{k}/b_transform"] = x.T @ d_pre, d_pre.sum(0)
        grads[f"CNN_high_{k}/W_carry"], grads[f"CNN_high_{k}/b_carry"] = x.T @ d_gate, d_gate.sum(0)
        d_x = (
            d_x * (1.0 - carry)
            + d_pre @ weights[f"CNN_high_{k}/W_transform"].T
            + d_gate @ weights[f"CNN_high_{k}/W_carry"].T
        )
    grads.update(char_convolutions_backward(d_x, cache))
    return grads


def char_convolutions(ids: Array, weights: Weights, options: Options) -> Tuple[Array, Cache]:
    """`activation(max_p (b + sum_w x[p + w] W[w]))` of each filter over all positions, in the order of the options."""
    table = numpy.vstack([numpy.zeros_like(weights["char_embed"][:1]), weights["char_embed"]])
    x, outputs, taken = table[ids], [], []
    for i, (width, _) in enumerate(options["filters"]):
        kernel, num_positions = weights[f"CNN/W_cnn_{i}"][0], x.shape[1] - width + 1
        # Shape: (num_types, num_positions, width, char_dim)
        windows = numpy.stack([x[:, p : p + width] for p in range(num_positions)], axis=1)
        y = numpy.einsum("npwd,wdf->npf", windows, kernel) + weights[f"CNN/b_cnn_{i}"]
        taken.append((windows, y.argmax(1)))
        outputs.append(y.max(1))
    top = numpy.concatenate(outputs, axis=1)
    is_tanh = options["activation"] == "tanh"
    slope = 1.0 - numpy.tanh(top) ** 2 if is_tanh else (top > 0.0).astype(float)
    cache = {"ids": ids, "x": x, "taken": taken, "slope": slope, "weights": weights, "filters": options["filters"]}
    return numpy.tanh(top) if is_tanh else numpy.maximum(top, 0.0), cache


def char_convolutions_backward(d_y: Array, cache: Cache) -> Weights:
    d_top, d_x, grads, start = d_y * cache["slope"], numpy.zeros_like(cache["x"]), {}, 0
    rows = numpy.arange(len(d_x))
    for i, (width, count) in enumerate(cache["filters"]):
        windows, position = cache["taken"][i]
        kernel = cache["weights"][f"CNN/W_cnn_{i}"][0]
        d_kernel = numpy.zeros_like(kernel)
        for f in range(count):
            d_f = d_top[:, start + f]
            d_kernel[:, :, f] = numpy.einsum("n,nwd->wd", d_f, windows[rows, position[:, f]])
            for w in range(width):
                d_x[rows, position[:, f] + w] += d_f[:, None] * kernel[w, :, f]
        grads[f"CNN/W_cnn_{i}"] = d_kernel[None]
        grads[f"CNN/b_cnn_{i}"] = d_top[:, start : start + count].sum(0)
        start += count
    d_table = numpy.zeros((1 + len(cache["weights"]["char_embed"]), d_x.shape[2]))
    numpy.add.at(d_table, cache["ids"], d_x)
    grads["char_embed"] = d_table[1:]
    return grads
