"""
A softmax over a new vocabulary, for a biLM that was trained with another one or comes without any.

Released models hold no softmax. What they do hold is a vector for any word, from its characters, and words alike in
their vectors are alike in what they may follow.
"""

import math
from typing import List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.sampler import log_uniform_probability
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.vocabulary import WordVocabulary

# Words whose vectors are computed at a time.
_NUM_WORDS = 4096
# Of the regression on standardised inputs, for each word.
_RIDGE = 1e-5


class KnownSoftmax(NamedTuple):
    """
    vocabulary : the words that a biLM was trained to predict.
    softmax : its rows for them.
    """

    vocabulary: WordVocabulary
    softmax: Softmax


def softmax_for_words(bilm: Bilm, vocabulary: WordVocabulary, known: Optional[KnownSoftmax] = None) -> Softmax:
    """
    A row `(W, b)` of the softmax for every word:

    - the known one, where the word has one;
    - else, where others are known, what a ridge regression from the word's vector and its log probability to `(W, b)`
      gives, fitted to all known words;
    - else the word's vector, each number of it centred and divided by the length that a new row has, and the log
      probability of the word. Training the rows alone, the biLM frozen, makes this a softmax.

    The probability of a word is that of its rank (Zipf's law), as the sampled softmax takes it.

    # Parameters

    bilm : with a character CNN, unless every word is known.
    vocabulary : the new words, by descending count.
    known : what the biLM was trained with.

    # Returns

    A softmax on the CPU, whatever device `bilm` is on.

    # Raises

    `ValueError` where a biLM of word ids would have to make up a row.
    """
    softmax = Softmax(len(vocabulary), bilm.options.projection_dim)
    rows = {} if known is None else known.vocabulary.word_to_id
    old_ids = torch.tensor([rows.get(word, -1) for word in vocabulary.words])
    is_known = old_ids >= 0
    with torch.no_grad():
        if not bool(is_known.all()):
            softmax.weight[:], softmax.bias[:] = _made_up_rows(bilm, vocabulary, known)
        if known is not None:
            softmax.weight[is_known] = known.softmax.weight[old_ids[is_known]].cpu()
            softmax.bias[is_known] = known.softmax.bias[old_ids[is_known]].cpu()
    return softmax


def _made_up_rows(bilm: Bilm, vocabulary: WordVocabulary, known: Optional[KnownSoftmax]) -> Tuple[Tensor, Tensor]:
    """Shapes: (num_words, projection_dim), (num_words, 1)"""
    if bilm.options.char_cnn is None:
        raise ValueError(
            "A biLM of word ids has no vectors for new words, so there is nothing to build a softmax from. Give it the "
            "vocabulary and the softmax that it was trained with, or fine-tune a model with a character CNN."
        )
    inputs = _inputs(bilm, vocabulary.words)
    if known is None:
        vectors = inputs[:, :-1] - inputs[:, :-1].mean(dim=0)
        scale = vectors.std() * math.sqrt(vectors.size(1))
        return (vectors / scale.clamp(min=1e-12)).float(), inputs[:, -1:].float()
    rows = torch.cat([known.softmax.weight, known.softmax.bias], dim=1).double().cpu()
    predicted = _regressed(_inputs(bilm, known.vocabulary.words), rows, inputs).float()
    return predicted[:, :-1], predicted[:, -1:]


def _regressed(inputs: Tensor, outputs: Tensor, new_inputs: Tensor) -> Tensor:
    """Ridge regression on standardised inputs, with an intercept."""
    mean, spread = inputs.mean(dim=0), inputs.std(dim=0).clamp(min=1e-12)
    standard, mean_output = (inputs - mean) / spread, outputs.mean(dim=0)
    square = standard.T @ standard
    ridge = _RIDGE * len(inputs) * torch.eye(square.size(0), dtype=square.dtype)
    slopes = torch.linalg.solve(square + ridge, standard.T @ (outputs - mean_output))
    return mean_output + ((new_inputs - mean) / spread) @ slopes


def _inputs(bilm: Bilm, words: List[str]) -> Tensor:
    """Vector and log probability of each word, `float64` on the CPU. Shape: (num_words, projection_dim + 1)"""
    device = bilm.boundaries.device
    parts = []
    for begin in range(0, len(words), _NUM_WORDS):
        characters = words_to_characters(words[begin : begin + _NUM_WORDS], bilm.options.max_characters)
        parts.append(bilm.encoder(torch.as_tensor(characters, device=device)).double().cpu())
    vectors = torch.cat(parts)
    log_probability = log_uniform_probability(torch.arange(len(words)), len(words)).log().unsqueeze(1)
    return torch.cat([vectors, log_probability], dim=1)
