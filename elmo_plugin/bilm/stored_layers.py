"""Layers of sentences given by their characters: looked up in a store, or computed where it lacks them."""

from typing import List, Optional, Tuple

import numpy
import torch
from torch import Tensor

from elmo_plugin.bilm.characters import BEGIN_SENTENCE_ID
from elmo_plugin.bilm.embedding import SentenceReader
from elmo_plugin.bilm.fingerprint import fingerprint
from elmo_plugin.bilm.state_policy import state_before
from elmo_plugin.bilm.store import StoreDescription, VectorStore


class StoredLayers:
    """
    # Parameters

    description : of the store, which also says what the vectors of a biLM must be like that stands in for it.
    store : the vectors; `None` where there is none any more.
    reader : the biLM for sentences that the store lacks; `None` where there is none. Its vectors must be its sentences'
        own.

    # Raises

    `ValueError` where the reader's biLM is not the one that the store was computed with.
    """

    def __init__(
        self, description: StoreDescription, store: Optional[VectorStore], reader: Optional[SentenceReader]
    ) -> None:
        self.description, self.store, self.reader = description, store, reader
        self.num_found = self.num_computed = 0
        # The first sentence that was computed, as far as it can be read.
        self.first_missing: Optional[str] = None
        if reader is not None:
            of_reader = fingerprint(reader.bilm)
            if of_reader != description.fingerprint:
                raise ValueError(
                    f"The store was computed with a biLM of fingerprint {description.fingerprint[:16]}…, but the given "
                    f"options and weights have {of_reader[:16]}…. Give the files that it was computed with, or write "
                    "the store anew."
                )

    def __call__(self, characters: Tensor) -> Tuple[List[Tensor], Tensor]:
        """
        # Parameters

        characters : shifted ids, 0 where there is no word. Shape: (batch_size, num_tokens, max_characters)

        # Returns

        Layers, zeros where there is no word, and where there is one.
        Shapes: `num_representations` times (batch_size, num_tokens, representation_dim), (batch_size, num_tokens)

        # Raises

        `ValueError` for another width of words, and for a sentence that is neither stored nor can be computed.
        """
        expected = self.description.max_characters
        if characters.dim() != 3 or characters.size(2) != expected:
            raise ValueError(
                f"The words must be a tensor of shape (batch_size, num_tokens, {expected}), as the store's, but their "
                f"shape is {tuple(characters.shape)}. Give the token indexer the width {expected} as `max_characters`."
            )
        mask = (characters != 0).any(dim=2)
        sentences = [row[: int(present.sum())] for row, present in zip(characters.cpu().numpy(), mask.cpu())]
        found = [None if self.store is None else self.store.find(sentence) for sentence in sentences]
        of_word = (self.description.num_representations, self.description.representation_dim)
        shape = (len(sentences), characters.size(1), *of_word)
        vectors = numpy.zeros(shape, dtype=numpy.float32)
        missing = []
        for row, (sentence, stored) in enumerate(zip(sentences, found)):
            if stored is not None:
                vectors[row, : len(sentence)] = stored
            elif len(sentence) > 0:
                missing.append(row)
        self.num_found += len(sentences) - len(missing)
        self.num_computed += len(missing)
        layers = [layer.contiguous() for layer in torch.from_numpy(vectors).to(characters.device).unbind(dim=2)]
        if missing:
            if self.first_missing is None:
                self.first_missing = readable(sentences[missing[0]])
            for layer, computed in zip(layers, self._compute(characters[missing], sentences[missing[0]])):
                layer[missing] = computed
        return layers, mask

    def _compute(self, characters: Tensor, first: numpy.ndarray) -> List[Tensor]:
        """Shapes: (number missing, num_tokens, representation_dim)"""
        if self.reader is None:
            raise ValueError(
                f"The store has no vectors of the sentence {readable(first)!r}, and there is no biLM to compute them. "
                "Give `options_file` and `weight_file` of the biLM that the store was computed with, or write a store "
                "of a text with this sentence in it."
            )
        reader = self.reader
        if reader.bilm.boundaries.device != characters.device:
            reader.to(characters.device)
        with torch.no_grad(), reader.rows_apart():
            steady = None if reader.steady is None else reader.steady.to(reader.bilm.forward_lstm.layers[0].bias)
            before = state_before(reader.policy, reader.bilm, len(characters), None, steady)
            representations, _ = reader.bilm.represent(characters, before)
        return [representations.without_boundaries(layer).float() for layer in representations.layers]


def readable(characters: numpy.ndarray) -> str:
    """The words that ids stand for, as far as they can be read. Shape: (num_tokens, max_characters)"""
    words = []
    for row in characters:
        ids = [number - 1 for number in row.tolist() if 0 < number < BEGIN_SENTENCE_ID]
        words.append(bytes(ids).decode("utf-8", "replace"))
    return " ".join(words)
