"""Sentences in, layers out: a biLM that only reads."""

from itertools import chain
from pathlib import Path
from typing import Any, Callable, ContextManager, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy
import torch
from torch import Tensor

from elmo_plugin.bilm.batches import Batching, batches_by_length, batches_in_order
from elmo_plugin.bilm.bilm import Bilm, Representations
from elmo_plugin.bilm.characters import BEGIN_SENTENCE, END_SENTENCE
from elmo_plugin.bilm.on_device import on_device
from elmo_plugin.bilm.ops.dispatch import with_fixed_rows
from elmo_plugin.bilm.ops.packed_matrix import FLOAT32, check_precision
from elmo_plugin.bilm.out_of_memory import FEWER_AT_ONCE, out_of_memory_as
from elmo_plugin.bilm.packing import lstms_laid_out, with_weights
from elmo_plugin.bilm.sidecar import FILE_NAME, load_sidecar
from elmo_plugin.bilm.state import BilmState
from elmo_plugin.bilm.state_policy import STATE_POLICIES, STATEFUL, STEADY, state_after, state_before
from elmo_plugin.bilm.steady_state import RUNNING_TEXT, compute_steady_state
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.word_vectors import WordVectors

Sentence = Sequence[str]

ALL, TOP, AVERAGE = "all", "top", "average"
FORMS = (ALL, TOP, AVERAGE)
DTYPES = ("float32", "float16")
CACHED_WORDS = 50_000


class SentenceReader:
    """
    A biLM with all that it takes to read sentences of words. It remembers words (`WordVectors`), and no sentence: the
    carried state of the policy `"stateful"` goes in and comes out. May be shared by threads.

    # Parameters

    bilm : is put into evaluation.
    policy : the state before a sentence; see `state_policy.py`.
    steady : the state of the policy `"steady"`, of one row.
    vocabulary : for a model of word ids.
    cached_words : how many words' vectors to remember.
    invariant : give a sentence the same vectors, bit by bit, whatever the batch that it is in (`ops.fixed_rows`),
        except under the policy `"stateful"`, where they depend on the batches before in any case.
    weights : their precision, `"float32"`, or on the CPU `"float16"` or `"int8"` (`packing.with_weights`). The packed
        ones are held beside those of `bilm`; under `"float32"` on the CPU, from the first sentence on, copies of those
        that products multiply by (`packing.lstms_laid_out`, `packing.encoder_laid_out`). Where weights change, call
        `forget`.

    # Raises

    `ValueError` for weights that can't be, an unknown policy, a missing steady state, and as `WordVectors`.
    """

    def __init__(
        self,
        bilm: Bilm,
        policy: str = STEADY,
        steady: Optional[BilmState] = None,
        vocabulary: Optional[WordVocabulary] = None,
        cached_words: int = CACHED_WORDS,
        invariant: bool = False,
        weights: str = FLOAT32,
    ) -> None:
        if policy not in STATE_POLICIES:
            raise ValueError(f"`state` (--state) must be one of {', '.join(STATE_POLICIES)}, but it is {policy!r}.")
        if policy == STEADY and steady is None:
            raise ValueError('The state policy "steady" needs a steady state; see `steady_state_of`.')
        self.bilm, self.policy, self.steady = bilm.eval(), policy, steady
        self.invariant, self.weights = invariant, weights
        if invariant and weights != FLOAT32:
            raise ValueError(
                f"With `weights` (--weights) of {weights} a sentence's vectors depend on its batch, so they can't be "
                "`invariant` (--invariant). Leave one of them out."
            )
        # `bilm` itself, or the same with packed weights.
        self.model = with_weights(self.bilm, weights)
        self.word_vectors = WordVectors(self.model, cached_words, vocabulary, invariant)
        self._laid_out: Optional[Bilm] = None

    def to(self, device: Union[str, torch.device]) -> "SentenceReader":
        """
        Moves the biLM, and forgets what is made of its weights.

        # Raises

        `ValueError` where its weights are packed, and stay on the CPU.
        """
        check_precision(self.weights, torch.device(device))
        self.bilm.to(device)
        self.forget()
        return self

    def forget(self) -> None:
        """Forgets what is made of the weights, words' vectors too: they, their device or precision have changed."""
        self.model = self.word_vectors.bilm = with_weights(self.bilm, self.weights)
        self.word_vectors.forget()
        self._laid_out = None

    def __reduce__(self) -> Tuple[Any, ...]:
        """What it is made of. Packed weights share storages, none of which torch can hand to a process twice."""
        words = self.word_vectors.vocabulary, self.word_vectors.capacity
        return type(self), (self.bilm, self.policy, self.steady, *words, self.invariant, self.weights)

    def rows_apart(self) -> ContextManager[None]:
        """Inside the context the model computes as `invariant` says."""
        return with_fixed_rows(self.invariant and self.policy != STATEFUL)

    def read(
        self, sentences: Sequence[Sentence], carried: Optional[BilmState] = None
    ) -> Tuple[Representations, Optional[BilmState]]:
        """
        Reads a batch.

        # Parameters

        sentences : one or more, of any lengths, 0 included.
        carried : what the batch before left behind; `None` at first.

        # Returns

        Layers, and what is to be carried on: `None` unless the policy is `"stateful"`.

        # Raises

        `OutOfMemory`.
        """
        longest = max(map(len, sentences))
        message = (
            f"Not enough memory on {self.bilm.boundaries.device} for a batch of {len(sentences):,} sentences of up to "
            f"{longest:,} words. Make batches smaller (`batch_size`, `token_budget`; --batch-size, --token-budget), or "
            "cut very long sentences"
        )
        with torch.no_grad(), out_of_memory_as(message), self.rows_apart():
            vectors, lengths = self._vectors(sentences, longest)
            steady = None if self.steady is None else self.steady.to(vectors)
            before = state_before(self.policy, self.bilm, len(sentences), carried, steady)
            representations, after = self._reading_model().contextualize(vectors, lengths, before.to(vectors))
            return representations, state_after(self.policy, carried, after)

    def _reading_model(self) -> Bilm:
        if self.weights != FLOAT32:
            return self.model
        found = self._laid_out
        if found is None:
            found = self._laid_out = lstms_laid_out(self.bilm)
        return found

    def _vectors(self, sentences: Sequence[Sentence], longest: int) -> Tuple[Tensor, Tensor]:
        """Shapes: (batch_size, longest + 2, projection_dim), (batch_size,); the latter on the CPU"""
        words = dict.fromkeys(chain([BEGIN_SENTENCE, END_SENTENCE], *sentences))
        types = {word: index for index, word in enumerate(words)}
        indices = numpy.zeros((len(sentences), longest + 2), dtype=numpy.int64)
        for row, sentence in zip(indices, sentences):
            row[1 : len(sentence) + 1] = [types[word] for word in sentence]
            row[len(sentence) + 1] = types[END_SENTENCE]
        vectors = self.word_vectors(list(types))
        lengths = torch.tensor([len(sentence) + 2 for sentence in sentences])
        return vectors[on_device(torch.from_numpy(indices), vectors.device)], lengths


def steady_state_of(
    bilm: Bilm,
    weight_file: Optional[Union[str, Path]] = None,
    sidecar_file: Optional[Union[str, Path]] = None,
) -> BilmState:
    """
    The steady state that a model was exported with; without one, computed from a few sentences of English.

    # Parameters

    bilm : the model.
    weight_file : beside which the sidecar may lie.
    sidecar_file : where it lies elsewhere; it must then hold a steady state.

    # Raises

    `ValueError` where there is none and none can be computed; errors of `load_sidecar`.
    """
    if sidecar_file is None and weight_file is not None:
        beside = Path(weight_file).parent / FILE_NAME
        stored = load_sidecar(beside, bilm.options).steady_state if beside.is_file() else None
    elif sidecar_file is not None:
        stored = load_sidecar(sidecar_file, bilm.options).steady_state
        if stored is None:
            raise ValueError(f"{sidecar_file} holds no steady state. Give the sidecar file that elmo-export wrote.")
    else:
        stored = None
    if stored is not None:
        return stored
    if bilm.options.char_cnn is None:
        raise ValueError(
            'A biLM of word ids has no steady state without a sidecar file. Give one (`sidecar_file`, --sidecar-file), '
            'or another `state` (--state): "zero" or "stateful".'
        )
    return compute_steady_state(bilm, RUNNING_TEXT)


def vectors_of(
    representations: Representations, sentences: Sequence[Sentence], form: str, dtype: str
) -> List[numpy.ndarray]:
    """
    What is kept of a batch, for each sentence, `<S>` and `</S>` left out.

    # Parameters

    form : `"all"` layers, the `"top"` one or their `"average"`.
    dtype : `"float32"` or `"float16"`.

    # Returns

    Shapes: (num_representations, num_tokens, representation_dim) for `"all"`, else (num_tokens, representation_dim)

    # Raises

    `ValueError` where a number is beyond what `float16` can hold.
    """
    if form == TOP:
        kept = representations.layers[-1]
    else:
        # Shape: (batch_size, num_representations, num_tokens + 2, representation_dim)
        kept = torch.stack(representations.layers, dim=1)
        kept = kept if form == ALL else kept.mean(dim=1)
    array = kept.float().cpu().numpy()
    if dtype == "float16" and numpy.abs(array).max(initial=0.0) > numpy.finfo(numpy.float16).max:
        raise ValueError("A vector holds numbers above 65,504, which float16 can't hold. Use float32.")
    return [
        row[..., 1 : len(sentence) + 1, :].astype(dtype, order="C", copy=True)
        for row, sentence in zip(array, sentences)
    ]


def embed_block(
    reader: SentenceReader,
    sentences: Sequence[Sentence],
    batching: Batching,
    carried: Optional[BilmState] = None,
    form: str = ALL,
    dtype: str = "float32",
    on_batch: Optional[Callable[[int], None]] = None,
) -> Tuple[List[numpy.ndarray], Optional[BilmState]]:
    """
    Vectors of sentences in their order, whatever the order in which they are read: sorted by length, or, where the
    state is carried, as they stand. The state of the policy `"stateful"` depends on `batching.batch_size`.

    # Parameters

    on_batch : is told how many words each batch had.

    # Returns

    `vectors_of` each sentence, and what is to be carried on.

    # Raises

    `OutOfMemory`.
    """
    if reader.policy == STATEFUL:
        batches = batches_in_order(len(sentences), batching.batch_size or len(sentences))
    else:
        batches = batches_by_length([len(sentence) for sentence in sentences], batching)
    results: List[Optional[numpy.ndarray]] = [None] * len(sentences)
    for batch in batches:
        chosen = [sentences[index] for index in batch]
        with out_of_memory_as(FEWER_AT_ONCE):
            representations, carried = reader.read(chosen, carried)
            arrays = vectors_of(representations, chosen, form, dtype)
        for index, array in zip(batch, arrays):
            results[index] = array
        if on_batch is not None:
            on_batch(sum(map(len, chosen)))
    return results, carried


def blocks_of(
    sentences: Iterable[Sentence], step: int, max_tokens: int = 0, max_sentences: int = 0
) -> Iterator[List[Sentence]]:
    """
    Sentences in lists. A list ends after a multiple of `step` sentences, as soon as it holds `max_tokens` words or
    `max_sentences` sentences.
    """
    block: List[Sentence] = []
    num_tokens = 0
    for sentence in sentences:
        block.append(sentence)
        num_tokens += len(sentence)
        if len(block) % step == 0 and (num_tokens >= max_tokens or len(block) >= max_sentences):
            yield block
            block, num_tokens = [], 0
    if block:
        yield block
