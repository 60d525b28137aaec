"""Text to the windows that a language model trains on."""

import logging
from typing import Iterator, Optional, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import is_distributed
from allennlp.data import DataLoader, DatasetReader, Instance, Vocabulary
from allennlp.data.data_loaders.data_loader import TensorDict

from elmo_plugin.bilm.encoded_text import EncodedText, check_descending_counts
from elmo_plugin.bilm.streams import Streams, Window
from elmo_plugin.corpus.opening import find_split
from elmo_plugin.data.data_loaders.prefetching import prefetched
from elmo_plugin.data.data_loaders.texts import OpenedText, open_text
from elmo_plugin.data.dataset_readers.sentences import ElmoSentencesReader
from elmo_plugin.data.vocabulary import word_vocabulary

logger = logging.getLogger(__name__)

PREFETCH_ON_GPU = 16


@DataLoader.register("elmo_stream")
class ElmoStreamLoader(DataLoader):
    """
    Batches whose rows are endless streams of text, cut into windows: what `language_model` takes
    (`bilm/streams.py`). Every sentence is in one pass exactly once, in either direction, the last ones too.

    The text is files of sentences, whose words are numbered here, 4 bytes a word in memory; or a corpus of
    `elmo-prepare`, whose numbers are mapped from its files, so that memory does not grow with it and training begins at
    once. Both give the same batches.

    A batch holds each distinct word's characters once: `types`, and positions in it for inputs.

    Registered as a `DataLoader` with name "elmo_stream".

    ```jsonnet
    { "type": "elmo_stream", "batch_size": 4, "num_steps": 20, "max_characters": 50, "shuffle": true, "seed": 13 }
    ```

    # Parameters

    reader : `ElmoSentencesReader`
        The configuration's `dataset_reader`.
    data_path : `str`
        What the reader reads, a file or a glob; or a part of a prepared corpus, such as `my/corpus/train` or
        `my/corpus/heldout`. `my/corpus` alone is its training part.
    batch_size : `int`, optional (default = `32`)
        Number of streams; on each worker, where there are several.
    num_steps : `int`, optional (default = `20`)
        Length of a window. Gradients do not go beyond it, the state of the LSTMs does.
    max_characters : `int`, optional (default = `50`)
        Width of a word, `max_characters_per_token` of the model's options; `null` for a model of word ids.
    shuffle : `bool`, optional (default = `False`)
        Shuffle the sentences anew for each epoch: files, or shards of a prepared corpus, come in random order, and the
        sentences of some of them, 5M words, are shuffled together. Without, each stream is running text.
    seed : `int`, optional (default = `13370`)
        Of the shuffling.
    prefetch : `int`, optional (default = `16` on a GPU, else `0`)
        Batches that a thread makes ahead, in memory that a GPU copies from while it computes. What they hold is the
        same.
    """

    def __init__(
        self,
        reader: DatasetReader,
        data_path: str,
        batch_size: int = 32,
        num_steps: int = 20,
        max_characters: Optional[int] = 50,
        shuffle: bool = False,
        seed: int = 13370,
        prefetch: Optional[int] = None,
    ) -> None:
        if not isinstance(reader, ElmoSentencesReader):
            raise ConfigurationError(
                f"The data loader elmo_stream needs sentences, but the dataset reader is a {type(reader).__name__}. "
                'Use "dataset_reader": {"type": "elmo_sentences"}.'
            )
        for name, value, least in (
            ("batch_size", batch_size, 1),
            ("num_steps", num_steps, 1),
            ("seed", seed, 0),
            ("prefetch", prefetch, 0),
        ):
            if value is not None and value < least:
                raise ConfigurationError(f"`{name}` of elmo_stream must be at least {least}, but it is {value}.")
        if max_characters is not None and max_characters < 3:
            raise ConfigurationError(
                "`max_characters` of elmo_stream must be at least 3 (begin of word, one byte, end of word), or null "
                f"for a model of word ids, but it is {max_characters}. Give 'max_characters_per_token' of the model's "
                "options."
            )
        self.reader, self.data_path = reader, str(data_path)
        self.batch_size, self.num_steps, self.max_characters = batch_size, num_steps, max_characters
        self.shuffle, self.seed, self.prefetch = shuffle, seed, prefetch
        self._epoch = 0
        # Epochs that are over, and windows of the one after them: what a resumed training has behind it.
        self._done = (0, 0)
        self._device: Optional[torch.device] = None
        self._text: Optional[EncodedText] = None
        # The streams that were asked for last, and what makes them these.
        self._planned: Tuple[Optional[Tuple[int, ...]], Optional[Streams]] = (None, None)

    def index_with(self, vocab: Vocabulary) -> None:
        """
        Reads and numbers the text, or opens a prepared corpus.

        # Raises

        `ConfigurationError` where the vocabulary has no words, or the text can't be read, or, with `shuffle`, the
        vocabulary is not sorted; without, that is a warning. Of a prepared corpus, where it is not whole or the
        vocabulary is another one.
        """
        words = word_vocabulary(vocab)
        try:
            opened = open_text(self.data_path, self.reader, words)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
        self._text = opened.text
        self._planned = (None, None)
        if not opened.is_prepared:
            self._check_order()
        self._log(opened)

    def _check_order(self) -> None:
        try:
            check_descending_counts(self._text, f"{self.data_path}: the vocabulary")
        except ValueError as error:
            if self.shuffle:
                raise ConfigurationError(str(error)) from error
            # Perhaps a held-out text of another kind; to that the order is all the same.
            logger.warning("%s", error)

    def _log(self, opened: OpenedText) -> None:
        text, num_unknown = opened.text, opened.num_unknown
        logger.info(
            "%s: %d sentences, %d tokens, of which %d (%.2f %%) are <UNK> to the softmax; %d windows an epoch",
            self.data_path,
            text.num_sentences,
            text.num_tokens,
            num_unknown,
            100 * num_unknown / max(text.num_tokens, 1),
            len(self),
        )
        num_cut = 0 if self.max_characters is None else text.types.count_cut(self.max_characters)
        if num_cut:
            logger.warning(
                "%s: %d distinct words are longer than %d bytes and are cut there.",
                self.data_path,
                num_cut,
                self.max_characters - 2,
            )

    def _streams(self, epoch: int) -> Streams:
        if self._text is None:
            raise ConfigurationError("The data loader elmo_stream has no vocabulary yet; call `index_with` first.")
        part, num_parts = 0, 1
        if is_distributed():
            part, num_parts = torch.distributed.get_rank(), torch.distributed.get_world_size()
        key = (epoch, part, num_parts)
        if self._planned[0] != key:
            seed = (self.seed, epoch) if self.shuffle else None
            self._planned = (key, Streams(self._text, self.batch_size, self.num_steps, seed, part, num_parts))
        return self._planned[1]

    def __len__(self) -> int:
        """Windows in the coming epoch. (The cut into rows depends on the order, so it may change by one.)"""
        return len(self._streams(self._epoch))

    def __iter__(self) -> Iterator[TensorDict]:
        streams, (done_epochs, done_windows) = self._streams(self._epoch), self._done
        num_done = len(streams) if self._epoch < done_epochs else done_windows if self._epoch == done_epochs else 0
        self._epoch += 1
        for _ in range(num_done):
            yield {}
        on_gpu = self._device is not None and self._device.type == "cuda"
        num_ahead = (PREFETCH_ON_GPU if on_gpu else 0) if self.prefetch is None else self.prefetch
        batches = self._batches(streams, num_done, pinned=on_gpu and num_ahead > 0)
        for batch in prefetched(batches, num_ahead) if num_ahead > 0 else batches:
            yield batch if self._device is None else _on_device(batch, self._device)

    def jump_to(self, num_epochs: int, num_windows: int) -> None:
        """
        For a training that is taken up again: what it has behind it comes as empty batches, which cost nothing. (A
        trainer of AllenNLP counts its way through the batches that it did before.)

        # Parameters

        num_epochs : epochs that are over.
        num_windows : windows of the next epoch that are over.
        """
        self._done = (num_epochs, num_windows)

    def _batches(self, streams: Streams, first: int, pinned: bool) -> Iterator[TensorDict]:
        try:
            for index, window in enumerate(streams.from_window(first), first):
                batch = self._tensors(window, is_first=index == 0)
                yield _pinned(batch) if pinned else batch
        except ValueError as error:
            raise ConfigurationError(str(error)) from error

    def _tensors(self, window: Window, is_first: bool) -> TensorDict:
        batch = {
            "types": torch.from_numpy(self._text.model_inputs(window.types, self.max_characters)),
            "forward_inputs": torch.from_numpy(window.forward_inputs),
            "backward_inputs": torch.from_numpy(window.backward_inputs),
            "forward_targets": torch.from_numpy(window.forward_targets),
            "backward_targets": torch.from_numpy(window.backward_targets),
            "is_first": is_first,
        }
        if window.lengths is not None:
            batch["lengths"] = torch.from_numpy(window.lengths)
        return batch

    def iter_instances(self) -> Iterator[Instance]:
        found = find_split(self.data_path)
        yield from self.reader.read(self.data_path if found is None else str(found[0].directory / found[1] / "*.txt"))

    def set_target_device(self, device: torch.device) -> None:
        self._device = device


def _pinned(batch: TensorDict) -> TensorDict:
    return {name: value.pin_memory() if isinstance(value, torch.Tensor) else value for name, value in batch.items()}


def _on_device(batch: TensorDict, device: torch.device) -> TensorDict:
    """On a GPU, of pinned tensors, without waiting for the copy."""
    return {
        name: value.to(device, non_blocking=device.type == "cuda") if isinstance(value, torch.Tensor) else value
        for name, value in batch.items()
    }
