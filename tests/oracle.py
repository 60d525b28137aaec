"""An independent float64 biLM in NumPy, forward and backward, written from its equations to judge `elmo_plugin.bilm`.

A function `f` with gradients returns `(value, cache)`; its twin `f_backward(d_value, cache)` returns the gradients of
the inputs and, as a dict under the HDF5 names, those of the weights. Everything is a plain loop or a plain product:
slow, and easy to hold against the equations. Character and word ids are in the shifted form: 0 is masked and stands
for a zero vector, every other id is one more than its row in the file.

The rest of it: `oracle_weights` (files), `oracle_words` (words to vectors), `oracle_softmax` (losses and sampling).
Shapes are named as in the package.
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy

from tests.oracle_weights import Options, Weights, cell_path
from tests.oracle_words import encode_words, encode_words_backward, sigmoid, words_to_characters

Array = numpy.ndarray
Cache = Dict[str, Any]
# Of one direction: memories (num_layers, batch_size, cell_dim), outputs (num_layers, batch_size, projection_dim).
State = Tuple[Array, Array]


def clip(x: Array, limit: Optional[float]) -> Tuple[Array, Array]:
    """`x` clipped to plus and minus `limit`, and its slope: 0 where it was clipped, else 1."""
    if limit is None:
        return x, numpy.ones_like(x)
    return numpy.clip(x, -limit, limit), (numpy.abs(x) <= limit).astype(float)


def lstm(x: Array, lengths: Array, cell: Dict[str, Array], options: Options, memory: Array, output: Array):
    """One layer read from the first step to the last; rows that have ended put out zeros and keep their state.

        i, j, f, o = split([x; h] W + b)
        m' = clip(sigmoid(f + 1) m + sigmoid(i) tanh(j))
        h' = clip((sigmoid(o) tanh(m')) P)

    `x` (batch_size, num_steps, input_dim), `memory` (batch_size, cell_dim), `output` (batch_size, projection_dim),
    `cell` the arrays W_0, B, W_P_0. Returns the outputs (batch_size, num_steps, projection_dim), the last memory and
    output, and a cache.
    """
    outputs = numpy.zeros((*x.shape[:2], cell["W_P_0"].shape[1]))
    steps: List[Cache] = []
    for t in range(x.shape[1]):
        active = (lengths > t)[:, None]
        joint = numpy.concatenate([x[:, t], output], axis=1)
        gates = numpy.split(joint @ cell["W_0"] + cell["B"], 4, axis=1)
        i, j, f, o = sigmoid(gates[0]), numpy.tanh(gates[1]), sigmoid(gates[2] + 1.0), sigmoid(gates[3])
        new, new_slope = clip(f * memory + i * j, options["cell_clip"])
        hidden = o * numpy.tanh(new)
        out, out_slope = clip(hidden @ cell["W_P_0"], options["proj_clip"])
        steps.append(dict(active=active, joint=joint, memory=memory, gates=(i, j, f, o), new=new, hidden=hidden))
        steps[-1].update(new_slope=new_slope, out_slope=out_slope)
        memory, output = numpy.where(active, new, memory), numpy.where(active, out, output)
        outputs[:, t] = numpy.where(active, out, 0.0)
    return outputs, memory, output, {"steps": steps, "cell": cell, "input_dim": x.shape[2]}


def lstm_backward(d_outputs: Array, d_memory: Array, d_output: Array, cache: Cache):
    """Gradients of x, of the first memory and output, and of W_0, B, W_P_0, given those of all that `lstm` returns."""
    cell, input_dim = cache["cell"], cache["input_dim"]
    grads = {name: numpy.zeros_like(value) for name, value in cell.items()}
    d_x = numpy.zeros((*d_outputs.shape[:2], input_dim))
    for t in reversed(range(d_outputs.shape[1])):
        step = cache["steps"][t]
        active, (i, j, f, o), squashed = step["active"], step["gates"], numpy.tanh(step["new"])
        d_projected = active * (d_outputs[:, t] + d_output) * step["out_slope"]
        d_hidden = d_projected @ cell["W_P_0"].T
        d_new = active * (d_memory + d_hidden * o * (1.0 - squashed**2)) * step["new_slope"]
        parts = (
            d_new * j * i * (1.0 - i),
            d_new * i * (1.0 - j**2),
            d_new * step["memory"] * f * (1.0 - f),
            d_hidden * squashed * o * (1.0 - o),
        )
        d_gates = numpy.concatenate(parts, axis=1)
        grads["W_P_0"] += step["hidden"].T @ d_projected
        grads["W_0"] += step["joint"].T @ d_gates
        grads["B"] += d_gates.sum(0)
        d_joint = d_gates @ cell["W_0"].T
        d_x[:, t] = d_joint[:, :input_dim]
        d_output = numpy.where(active, d_joint[:, input_dim:], d_output)
        d_memory = numpy.where(active, d_new * f, d_memory)
    return d_x, d_memory, d_output, grads


def zero_state(options: Options, batch_size: int) -> State:
    lstm_options = options["lstm"]
    shape = (lstm_options["n_layers"], batch_size)
    return numpy.zeros((*shape, lstm_options["dim"])), numpy.zeros((*shape, lstm_options["projection_dim"]))


def reverse_rows(x: Array, lengths: Array) -> Array:
    """Each row's first `length` steps turned round, the rest left in place. Its own inverse, and its own gradient."""
    result = x.copy()
    for row, length in enumerate(lengths):
        result[row, :length] = x[row, :length][::-1]
    return result


def direction_cells(weights: Weights, options: Options, direction: int) -> List[Tuple[str, Dict[str, Array]]]:
    """Path and arrays of each layer's cell, whether or not the file has the `MultiRNNCell` level."""
    nested = f"{cell_path(direction, 0, nested=True)}/B" in weights
    paths = [cell_path(direction, layer, nested) for layer in range(options["lstm"]["n_layers"])]
    return [(path, {name: weights[f"{path}/{name}"] for name in ("W_0", "B", "W_P_0")}) for path in paths]


def read_direction(
    x: Array, lengths: Array, weights: Weights, options: Options, direction: int, state: Optional[State] = None
):
    """All layers of direction 0 or 1, over `x` in the order in which that direction reads it.

    Returns the layers' outputs (num_layers, batch_size, num_steps, projection_dim), the state after each row's last
    step, and a cache.
    """
    memories, outputs = zero_state(options, len(x)) if state is None else state
    layers, caches, last_memories, last_outputs = [], [], [], []
    for layer, (path, cell) in enumerate(direction_cells(weights, options, direction)):
        y, memory, output, cache = lstm(x, lengths, cell, options["lstm"], memories[layer], outputs[layer])
        skip = layer > 0 and options["lstm"]["use_skip_connections"]
        y = y + x * (numpy.arange(x.shape[1]) < lengths[:, None])[:, :, None] if skip else y
        caches.append((path, skip, cache))
        last_memories.append(memory)
        last_outputs.append(output)
        layers.append(y)
        x = y
    return numpy.stack(layers), (numpy.stack(last_memories), numpy.stack(last_outputs)), {"layers": caches}


def read_direction_backward(d_layers: Array, d_state: Optional[State], cache: Cache):
    """Gradients of `x`, of the first state and of the weights; past a row's length `d_layers` must be zero."""
    grads: Weights = {}
    d_x, d_memories, d_outputs = numpy.zeros_like(d_layers[0]), [], []
    for layer in reversed(range(len(d_layers))):
        path, skip, layer_cache = cache["layers"][layer]
        d_y = d_layers[layer] + d_x
        cell_dim = len(layer_cache["cell"]["W_P_0"])
        d_memory = numpy.zeros((len(d_y), cell_dim)) if d_state is None else d_state[0][layer]
        d_output = numpy.zeros_like(d_y[:, 0]) if d_state is None else d_state[1][layer]
        d_x, d_memory, d_output, cell_grads = lstm_backward(d_y, d_memory, d_output, layer_cache)
        d_x = d_x + d_y if skip else d_x
        d_memories.insert(0, d_memory)
        d_outputs.insert(0, d_output)
        grads.update({f"{path}/{name}": value for name, value in cell_grads.items()})
    return d_x, (numpy.stack(d_memories), numpy.stack(d_outputs)), grads


def bilm(ids: Array, lengths: Array, weights: Weights, options: Options, states: Optional[Sequence[State]] = None):
    """All representations of a batch: layer 0 the word vector twice, layer j forward and backward output side by side.

    `ids` (batch_size, num_steps, max_characters), or (batch_size, num_steps) for a model of word ids. Returns the
    representations (num_layers + 1, batch_size, num_steps, 2 * projection_dim), zero past each row's length, the two
    directions' states, and a cache.
    """
    batch_size, num_steps = ids.shape[:2]
    vectors, words_cache = encode_words(ids.reshape(batch_size * num_steps, *ids.shape[2:]), weights, options)
    mask = (numpy.arange(num_steps) < lengths[:, None])[:, :, None]
    x = vectors.reshape(batch_size, num_steps, -1) * mask
    states = (None, None) if states is None else states
    forward, forward_state, forward_cache = read_direction(x, lengths, weights, options, 0, states[0])
    backward, backward_state, backward_cache = read_direction(
        reverse_rows(x, lengths), lengths, weights, options, 1, states[1]
    )
    layers = [numpy.concatenate([x, x], axis=2)]
    layers += [numpy.concatenate([f, reverse_rows(b, lengths)], axis=2) for f, b in zip(forward, backward)]
    cache = {"words": words_cache, "directions": (forward_cache, backward_cache), "lengths": lengths, "mask": mask}
    return numpy.stack(layers), (forward_state, backward_state), cache


def bilm_backward(d_layers: Array, cache: Cache) -> Weights:
    """Gradients of all weights, given those of the representations."""
    lengths, width = cache["lengths"], d_layers.shape[3] // 2
    d_layers = d_layers * cache["mask"]
    d_forward, d_backward = d_layers[1:, ..., :width], d_layers[1:, ..., width:]
    d_backward = numpy.stack([reverse_rows(d, lengths) for d in d_backward])
    d_x, _, grads = read_direction_backward(d_forward, None, cache["directions"][0])
    d_reversed, _, backward_grads = read_direction_backward(d_backward, None, cache["directions"][1])
    d_x = d_x + reverse_rows(d_reversed, lengths) + d_layers[0, ..., :width] + d_layers[0, ..., width:]
    grads.update(backward_grads)
    grads.update(encode_words_backward((d_x * cache["mask"]).reshape(-1, width), cache["words"]))
    return grads


def embed_sentences(
    sentences: Sequence[Sequence[str]], weights: Weights, options: Options, states: Optional[Sequence[State]] = None
):
    """Representations of each sentence, read between `<S>` and `</S>`, which are left out, and the states after.

    Row k of the batch starts from row k of `states`, which may hold more rows than there are sentences; those come back
    unchanged. Shape of each sentence's: (num_layers + 1, num_tokens, 2 * projection_dim)
    """
    width = options["char_cnn"]["max_characters_per_token"]
    lengths = numpy.array([len(sentence) + 2 for sentence in sentences])
    ids = numpy.zeros((len(sentences), lengths.max(), width), dtype=int)
    for row, sentence in zip(ids, sentences):
        row[: len(sentence) + 2] = words_to_characters(["<S>", *sentence, "</S>"], width)
    rows = slice(0, len(sentences))
    given = None if states is None else [tuple(part[:, rows] for part in state) for state in states]
    layers, new_states, _ = bilm(ids, lengths, weights, options, given)
    if states is not None:
        kept = [[part[:, len(sentences) :] for part in state] for state in states]
        pairs = zip(new_states, kept)
        new_states = tuple(tuple(numpy.concatenate(both, axis=1) for both in zip(new, old)) for new, old in pairs)
    return [layers[:, row, 1 : length - 1] for row, length in enumerate(lengths)], new_states


def scalar_mix(layers: Array, mask: Array, scalars: Array, gamma: float, layer_norm: bool = False, eps: float = 1e-13):
    """`gamma * sum_j softmax(scalars)_j * layer_j`, each layer normed over all its unmasked numbers first if asked.

    `layers` (num_representations, batch_size, num_tokens, width), `mask` (batch_size, num_tokens). Masked positions
    are put to zero.
    `eps` is added to the variance; 1e-13 is what AllenNLP's mix was seen to add, in float32 and float64.
    """
    mask = numpy.asarray(mask, dtype=float)[:, :, None]
    share = numpy.exp(scalars - scalars.max())
    share /= share.sum()
    normed, spreads, count = layers * mask, numpy.ones(len(layers)), mask.sum() * layers.shape[3]
    if layer_norm:
        centred = (normed - normed.sum((1, 2, 3), keepdims=True) / count) * mask
        spreads = numpy.sqrt((centred**2).sum((1, 2, 3)) / count + eps)
        normed = centred / spreads[:, None, None, None]
    mixed = numpy.einsum("l,lbtw->btw", share, normed)
    cache = dict(
        mask=mask,
        share=share,
        normed=normed,
        spreads=spreads,
        count=count,
        mixed=mixed,
        gamma=gamma,
        layer_norm=layer_norm,
    )
    return gamma * mixed, cache


def scalar_mix_backward(d_y: Array, cache: Cache) -> Tuple[Array, Array, float]:
    """Gradients of the layers, the scalars and gamma."""
    share, normed, mask = cache["share"], cache["normed"], cache["mask"]
    d_gamma = float((d_y * cache["mixed"]).sum())
    d_share = cache["gamma"] * numpy.einsum("btw,lbtw->l", d_y, normed)
    d_scalars = share * (d_share - (share * d_share).sum())
    d_layers = cache["gamma"] * share[:, None, None, None] * d_y * mask
    if cache["layer_norm"]:
        mean = d_layers.sum((1, 2, 3), keepdims=True) / cache["count"]
        along = (d_layers * normed).sum((1, 2, 3), keepdims=True) / cache["count"]
        d_layers = (d_layers - mean - normed * along) * mask / cache["spreads"][:, None, None, None]
    return d_layers, d_scalars, d_gamma
