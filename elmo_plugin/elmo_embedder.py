"""`ElmoEmbedder`, as AllenNLP had it until 0.9: sentences to arrays of NumPy."""

from pathlib import Path
from typing import IO, Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy
import torch
from torch import Tensor

from elmo_plugin.bilm.batches import DEFAULT_TOKEN_BUDGET, Batching
from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.carried import CarryingBilm
from elmo_plugin.bilm.dump import DumpSettings, write_dump
from elmo_plugin.bilm.embedding import (
    ALL,
    CACHED_WORDS,
    DTYPES,
    Sentence,
    SentenceReader,
    blocks_of,
    embed_block,
    steady_state_of,
    vectors_of,
)
from elmo_plugin.bilm.importing.allennlp_module import bilm_of_allennlp
from elmo_plugin.bilm.ops.packed_matrix import FLOAT32
from elmo_plugin.bilm.out_of_memory import FEWER_AT_ONCE, out_of_memory_as
from elmo_plugin.bilm.state import BilmState
from elmo_plugin.bilm.state_policy import STATEFUL, STEADY
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.remote_files import PathLike, local_path

# The model that AllenNLP 0.9 took where none was named.
_SHAPE = "2x4096_512_2048cnn_2xhighway"
_ORIGINAL = f"https://allennlp.s3.amazonaws.com/models/elmo/{_SHAPE}/elmo_{_SHAPE}_"
DEFAULT_OPTIONS_FILE = f"{_ORIGINAL}options.json"
DEFAULT_WEIGHT_FILE = f"{_ORIGINAL}weights.hdf5"
DEFAULT_BATCH_SIZE = 64
# Batches whose sentences are sorted by length among each other.
SORTED_BATCHES = 8


class ElmoEmbedder:
    """
    A biLM that embeds sentences of words, under the names of AllenNLP 0.9:

        from elmo_plugin import ElmoEmbedder

        elmo = ElmoEmbedder("options.json", "weights.hdf5")
        layers = elmo.embed_sentence(["I", "ate", "an", "apple"])  # (num_representations, 4, representation_dim)

    It departs from 0.9 in one thing: the LSTMs start every sentence from the same stored state, so that a sentence has
    the same vectors wherever it stands. `state="stateful"` gives the vectors of 0.9, which depend on the sentences
    before. It works without AllenNLP, and threads may share it.

    # Parameters

    options_file, weight_file : paths, or URLs where AllenNLP is installed. By default the URLs of the original model.
    cuda_device : number of a GPU; -1 for the CPU.
    state : `"steady"`, `"stateful"` or `"zero"`.
    dtype : of the arrays, `"float32"` or `"float16"`.
    device : any torch device, in place of `cuda_device`.
    vocabulary_file : for a biLM of word ids.
    sidecar_file : where the steady state is stored, if not as `sidecar.hdf5` beside `weight_file`. Without one it is
        computed from a few sentences of English.
    cached_words : how many words' vectors to remember, `4 * projection_dim` bytes each.
    invariant : give a sentence the same vectors, bit by bit, whatever the batch that it is in. Words that are met for
        the first time take a little longer; where the program in C can't run, a sentence alone takes five times as
        long. Without it vectors differ by up to 1e-6 of the largest number.
    weights : their precision, `"float32"`, or on the CPU `"float16"` or `"int8"`: faster, and nearly the same vectors
        (`docs/performance.md`).

    # Raises

    `FileNotFoundError`, `ValueError`; `OutOfMemory` (a `RuntimeError`).
    """

    default_state = STEADY

    def __init__(
        self,
        options_file: PathLike = DEFAULT_OPTIONS_FILE,
        weight_file: PathLike = DEFAULT_WEIGHT_FILE,
        cuda_device: int = -1,
        state: str = STEADY,
        dtype: str = "float32",
        device: Optional[Union[str, torch.device]] = None,
        vocabulary_file: Optional[PathLike] = None,
        sidecar_file: Optional[PathLike] = None,
        cached_words: int = CACHED_WORDS,
        invariant: bool = False,
        weights: str = FLOAT32,
    ) -> None:
        weight_path = local_path(weight_file)
        bilm = load_bilm(local_path(options_file), weight_path)
        vocabulary = None if vocabulary_file is None else WordVocabulary.from_file(vocabulary_file)
        steady = steady_state_of(bilm, weight_path, sidecar_file) if state == STEADY else None
        self._start(bilm, state, dtype, cuda_device, device, steady, vocabulary, cached_words, invariant, weights)

    @classmethod
    def from_bilm(
        cls,
        bilm: Bilm,
        cuda_device: int = -1,
        state: str = STEADY,
        dtype: str = "float32",
        device: Optional[Union[str, torch.device]] = None,
        steady: Optional[BilmState] = None,
        vocabulary: Optional[WordVocabulary] = None,
        cached_words: int = CACHED_WORDS,
        invariant: bool = False,
        weights: str = FLOAT32,
    ) -> "ElmoEmbedder":
        """The same of a model at hand. `steady` is computed from a few sentences of English where it is missing."""
        if state == STEADY and steady is None:
            steady = steady_state_of(bilm)
        embedder = cls.__new__(cls)
        embedder._start(bilm, state, dtype, cuda_device, device, steady, vocabulary, cached_words, invariant, weights)
        return embedder

    def _start(
        self,
        bilm: Bilm,
        state: str,
        dtype: str,
        cuda_device: int,
        device: Optional[Union[str, torch.device]],
        steady: Optional[BilmState],
        vocabulary: Optional[WordVocabulary],
        cached_words: int,
        invariant: bool,
        weights: str,
    ) -> None:
        if dtype not in DTYPES:
            raise ValueError(f"`dtype` (--dtype) must be one of {', '.join(DTYPES)}, but it is {dtype!r}.")
        self.dtype, self.cuda_device = dtype, cuda_device
        chosen = choose_device(cuda_device, device)
        if invariant and state == STATEFUL:
            raise ValueError(
                "Under the state \"stateful\" a sentence's vectors depend on the sentences before it, so they can't be "
                "`invariant` (--invariant). Leave it out, or give another state."
            )
        bilm = moved(bilm.requires_grad_(False), chosen)
        reader = SentenceReader(bilm, state, steady, vocabulary, cached_words, invariant, weights)
        self.elmo_bilm = CarryingBilm(reader)

    def __setstate__(self, state: Dict[str, Any]) -> None:
        """
        What was pickled here, as it was; of what AllenNLP 0.9 pickled, the biLM, on its device and with the state that
        this class has where none is named.
        """
        if isinstance(state["elmo_bilm"], CarryingBilm):
            self.__dict__.update(state)
            return
        bilm, device = bilm_of_allennlp(state["elmo_bilm"]), next(state["elmo_bilm"].parameters()).device
        steady = steady_state_of(bilm) if self.default_state == STEADY else None
        number = -1 if device.index is None else device.index
        self._start(bilm, self.default_state, "float32", number, device, steady, None, CACHED_WORDS, False, FLOAT32)

    def batch_to_embeddings(self, batch: Sequence[Sentence]) -> Tuple[Tensor, Tensor]:
        """
        # Returns

        Layers, zeros where there is no word, and 1 where there is one, as numbers (`int64`), as AllenNLP 0.9 had it.
        Shapes: (batch_size, num_representations, num_tokens, representation_dim), (batch_size, num_tokens)

        # Raises

        `ValueError` for a batch without a sentence.
        """
        batch = _checked(batch)
        if len(batch) == 0:
            raise ValueError("`batch` must hold at least one sentence, but it is empty.")
        with out_of_memory_as(FEWER_AT_ONCE):
            representations = self.elmo_bilm.read(batch)
            layers = [representations.without_boundaries(layer) for layer in representations.layers]
            return torch.stack(layers, dim=1), representations.mask[:, 2:].long()

    def embed_sentence(self, sentence: Sentence) -> numpy.ndarray:
        """Shape: (num_representations, num_tokens, representation_dim)"""
        return self.embed_batch([sentence])[0]

    def embed_batch(self, batch: Sequence[Sentence]) -> List[numpy.ndarray]:
        """
        The vectors of sentences that are read as one batch. A batch without any word is not read.

        Shapes: (num_representations, num_tokens, representation_dim)
        """
        batch = _checked(batch)
        if not any(batch):
            shape = (self.elmo_bilm.num_layers, 0, self.elmo_bilm.get_output_dim())
            return [numpy.zeros(shape, self.dtype) for _ in batch]
        with out_of_memory_as(FEWER_AT_ONCE):
            return vectors_of(self.elmo_bilm.read(batch), batch, ALL, self.dtype)

    def embed_sentences(
        self,
        sentences: Iterable[Sentence],
        batch_size: int = DEFAULT_BATCH_SIZE,
        token_budget: int = DEFAULT_TOKEN_BUDGET,
    ) -> Iterator[numpy.ndarray]:
        """
        The vectors of any number of sentences, in their order, while they come in.

        # Parameters

        sentences : may be endless; a few batches of them are taken at a time.
        batch_size : sentences read together at most.
        token_budget : words read together at most, unless the state is carried.

        Shapes: (num_representations, num_tokens, representation_dim)
        """
        batching = Batching(batch_size, token_budget)
        batching.check()
        if self.elmo_bilm.reader.policy == STATEFUL:
            for block in blocks_of((checked_sentence(sentence) for sentence in sentences), batch_size):
                yield from self.embed_batch(block)
            return
        step = batch_size * SORTED_BATCHES
        checked = (checked_sentence(sentence) for sentence in sentences)
        for block in blocks_of(checked, step, token_budget * SORTED_BATCHES):
            yield from embed_block(self.elmo_bilm.reader, block, batching, dtype=self.dtype)[0]

    def embed_file(
        self,
        input_file: IO[str],
        output_file_path: PathLike,
        output_format: str = ALL,
        batch_size: int = DEFAULT_BATCH_SIZE,
        forget_sentences: bool = False,
        use_sentence_keys: bool = False,
    ) -> None:
        """
        Writes the vectors of a text, one tokenised sentence a line, to an HDF5 file (`docs/formats.md`, Vectors). The
        file takes its name once it is whole, and replaces one of that name. Stopped, the same call goes on where it
        was.

        # Parameters

        input_file : open for reading text.
        output_format : `"all"` layers, the `"top"` one or their `"average"`.
        batch_size : sentences read together at most.
        forget_sentences : leave the dataset `sentence_to_index` out.
        use_sentence_keys : name datasets by their sentence in place of their line.
        """
        settings = DumpSettings(output_format, self.dtype, Batching(batch_size), use_sentence_keys, forget_sentences)
        lines = [line.strip() for line in input_file]
        write_dump(self.elmo_bilm.reader, lines, Path(output_file_path), settings, force=True)


def choose_device(cuda_device: int, device: Optional[Union[str, torch.device]] = None) -> torch.device:
    """
    The device of that number, or the one that is named.

    # Raises

    `ValueError` where there is no such GPU, or the name is none of a device.
    """
    try:
        chosen = torch.device(device if device is not None else "cpu" if cuda_device < 0 else f"cuda:{cuda_device}")
    except RuntimeError as error:
        raise ValueError(f"`device` must be the name of one, as \"cpu\" or \"cuda:0\", not {device!r}.") from error
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"There is no device {chosen}: torch sees {torch.cuda.device_count()} GPU(s). Give another number as "
            f"`cuda_device` (--cuda-device); -1 is the CPU."
        )
    return chosen


def moved(bilm: Bilm, device: torch.device) -> Bilm:
    """
    The model itself, on another device.

    # Raises

    `OutOfMemory`.
    """
    message = (
        f"Not enough memory on {device} for the biLM itself. Make room there, or take another device (`cuda_device`, "
        "--cuda-device; -1 is the CPU)"
    )
    with out_of_memory_as(message):
        return bilm.to(device)


def _checked(batch: Sequence[Sentence]) -> Sequence[Sentence]:
    for sentence in batch:
        checked_sentence(sentence)
    return batch


def checked_sentence(sentence: Sentence) -> Sentence:
    """
    The sentence itself.

    # Raises

    `ValueError` where it is a string, whose characters would be taken for words, or where a word is none.
    """
    if isinstance(sentence, str):
        raise ValueError(
            f"A sentence must be a list of words, but it is the string {sentence[:40]!r}. Give sentence.split(), or "
            f"list(sentence) where every character is a word."
        )
    for word in sentence:
        if not isinstance(word, str):
            raise ValueError(f"A sentence must be a list of strings, but found {word!r} ({type(word).__name__}) in it.")
    return sentence
