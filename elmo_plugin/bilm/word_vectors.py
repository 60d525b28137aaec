"""Vectors of words, remembered: text repeats its words, and a word's vector depends on nothing else."""

from collections import OrderedDict
from threading import Lock
from typing import Any, Dict, List, Optional, Sequence

import torch
from torch import Tensor, nn

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.on_device import on_device
from elmo_plugin.bilm.ops.dispatch import of_rows, with_fixed_rows
from elmo_plugin.bilm.out_of_memory import out_of_memory_as
from elmo_plugin.bilm.packing import encoder_laid_out
from elmo_plugin.bilm.vocabulary import WordVocabulary

# Words that the encoder takes at a time: the convolutions of the original model hold about 40 KB for each.
ENCODED_AT_ONCE = 2048


class WordVectors:
    """
    `encoder(word)` for many words, each computed once as long as it is remembered.

    The words looked up longest ago are forgotten first. A word that is not remembered is computed, alone or with the
    others that are missing, never the whole batch again; and what goes wrong then is raised. May be shared by threads.

    # Parameters

    bilm : whose encoder it is. It must be in evaluation. Where its weights change, call `forget`; from the first word
        on copies of some are held (`packing.encoder_laid_out`).
    capacity : how many words to remember, `4 * projection_dim` bytes each; 0 for none.
    vocabulary : for a model of word ids; words that it lacks are its `<UNK>`.
    invariant : compute a word the same, bit by bit, whatever the words beside it (`ops.fixed_rows`).

    # Raises

    `ValueError` for a negative capacity, and where vocabulary and model do not go together.
    """

    def __init__(
        self, bilm: Bilm, capacity: int, vocabulary: Optional[WordVocabulary] = None, invariant: bool = False
    ) -> None:
        if capacity < 0:
            raise ValueError(f"The number of words to remember must be 0 or more, but it is {capacity}.")
        _check_vocabulary(bilm, vocabulary)
        self.bilm, self.capacity, self.vocabulary, self.invariant = bilm, capacity, vocabulary, invariant
        self._lock = Lock()
        self.forget()

    def forget(self) -> None:
        """Forgets every word: the weights, their device or their precision have changed."""
        with self._lock:
            # Words, those looked up longest ago first, and their rows in the table.
            self._rows: "OrderedDict[str, int]" = OrderedDict()
            self._table: Optional[Tensor] = None
            self._encoder: Optional[nn.Module] = None

    def __len__(self) -> int:
        """How many words are remembered."""
        return len(self._rows)

    def __getstate__(self) -> Dict[str, Any]:
        return {name: getattr(self, name) for name in ("bilm", "capacity", "vocabulary", "invariant")}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __call__(self, words: Sequence[str]) -> Tensor:
        """
        # Parameters

        words : distinct words, `<S>` and `</S>` perhaps among them.

        # Returns

        Shape: (len(words), projection_dim), on the device of the model

        # Raises

        `OutOfMemory`.
        """
        with self._lock:
            known = [(place, self._rows[word]) for place, word in enumerate(words) if word in self._rows]
            missing = [place for place, word in enumerate(words) if word not in self._rows]
            new = self._encode([words[place] for place in missing])
            vectors = new.new_empty(len(words), new.size(1))
            vectors[_places(missing, new)] = new
            if known:
                places, rows = zip(*known)
                vectors[_places(places, new)] = self._table[_places(rows, new)]
            for place, _ in known:
                self._rows.move_to_end(words[place])
            self._remember([words[place] for place in missing], new)
        return vectors

    def _encode(self, words: List[str]) -> Tensor:
        """Shape: (len(words), projection_dim)"""
        parts = [words[start : start + ENCODED_AT_ONCE] for start in range(0, len(words), ENCODED_AT_ONCE)]
        if self._encoder is None:
            self._encoder = encoder_laid_out(self.bilm.encoder)
        with with_fixed_rows(self.invariant):
            return torch.cat([of_rows(self._encoder, self._ids(part)) for part in parts or [[]]])

    def _ids(self, words: List[str]) -> Tensor:
        """Shape: (len(words), max_characters), or (len(words),) for word ids"""
        if self.vocabulary is None:
            ids = words_to_characters(words, self.bilm.options.max_characters)
        else:
            ids = self.vocabulary.encode(words) + 1
        return on_device(torch.from_numpy(ids), self.bilm.boundaries.device)

    def _remember(self, words: List[str], vectors: Tensor) -> None:
        kept = min(len(words), self.capacity)
        if kept == 0:
            return
        if self._table is None:
            self._table = self._allocate(vectors)
        rows = []
        for word in words[-kept:]:
            row = len(self._rows) if len(self._rows) < self.capacity else self._rows.popitem(last=False)[1]
            self._rows[word] = row
            rows.append(row)
        self._table[_places(rows, vectors)] = vectors[-kept:]

    def _allocate(self, like: Tensor) -> Tensor:
        size = self.capacity * like.size(1) * like.element_size()
        message = (
            f"Not enough memory on {like.device} to remember the vectors of {self.capacity:,} words, {size:,} bytes. "
            "Remember fewer (`cached_words`, --cached-words)"
        )
        with out_of_memory_as(message):
            return like.new_empty(self.capacity, like.size(1))


def _places(places: Sequence[int], like: Tensor) -> Tensor:
    return on_device(torch.tensor(places, dtype=torch.int64), like.device)


def _check_vocabulary(bilm: Bilm, vocabulary: Optional[WordVocabulary]) -> None:
    if bilm.options.char_cnn is not None:
        if vocabulary is not None:
            raise ValueError(
                "This biLM reads characters, so it needs no vocabulary to read words. Leave the vocabulary out."
            )
        return
    if vocabulary is None:
        raise ValueError(
            "This biLM reads word ids (its options have no 'char_cnn'), so it needs the vocabulary that it was trained "
            "with: give the file as `vocabulary_file` (--vocabulary-file)."
        )
    if len(vocabulary) != bilm.options.num_words:
        raise ValueError(
            f"The vocabulary has {len(vocabulary):,} words, but this biLM has vectors for {bilm.options.num_words:,}. "
            "Give the vocabulary that it was trained with."
        )
