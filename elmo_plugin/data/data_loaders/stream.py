"""Text to the windows that a language model trains on."""

import logging
from itertools import islice
from typing import Iterator, Optional

import numpy
import torch
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import is_distributed
from allennlp.data import DataLoader, DatasetReader, Instance, Vocabulary
from allennlp.data.data_loaders.data_loader import TensorDict
from allennlp.nn.util import move_to_device

from elmo_plugin.bilm.characters import count_cut_words, words_to_characters
from elmo_plugin.bilm.streams import (
    EncodedSentences,
    Streams,
    Window,
    check_descending_counts,
    encode_sentences,
)
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.data.dataset_readers.sentences import ElmoSentencesReader
from elmo_plugin.data.vocabulary import word_vocabulary

logger = logging.getLogger(__name__)


@DataLoader.register("elmo_stream")
class ElmoStreamLoader(DataLoader):
    """
    Batches whose rows are endless streams of text, cut into windows: what `language_model` takes
    (`bilm/streams.py`). Every sentence is in one pass exactly once, in either direction, the last ones too.

    A batch holds each distinct word's characters once: `types`, and positions in it for inputs.

    Registered as a `DataLoader` with name "elmo_stream".

    ```jsonnet
    { "type": "elmo_stream", "batch_size": 4, "num_steps": 20, "max_characters": 50, "shuffle": true, "seed": 13 }
    ```

    # Parameters

    reader : `ElmoSentencesReader`
        The configuration's `dataset_reader`.
    data_path : `str`
        What the reader reads: a file or a glob.
    batch_size : `int`, optional (default = `32`)
        Number of streams; on each worker, where there are several.
    num_steps : `int`, optional (default = `20`)
        Length of a window. Gradients do not go beyond it, the state of the LSTMs does.
    max_characters : `int`, optional (default = `50`)
        Width of a word, `max_characters_per_token` of the model's options; `null` for a model of word ids.
    shuffle : `bool`, optional (default = `False`)
        Shuffle the sentences anew for each epoch. Without, each stream is running text.
    seed : `int`, optional (default = `13370`)
        Of the shuffling.
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
    ) -> None:
        if not isinstance(reader, ElmoSentencesReader):
            raise ConfigurationError(
                f"The data loader elmo_stream needs sentences, but the dataset reader is a {type(reader).__name__}. Use "
                f'"dataset_reader": {{"type": "elmo_sentences"}}.'
            )
        for name, value in (("batch_size", batch_size), ("num_steps", num_steps)):
            if value < 1:
                raise ConfigurationError(f"`{name}` of elmo_stream must be at least 1, but it is {value}.")
        if max_characters is not None and max_characters < 3:
            raise ConfigurationError(
                f"`max_characters` of elmo_stream must be at least 3 (begin of word, one byte, end of word), or null for a "
                f"model of word ids, but it is {max_characters}. Give 'max_characters_per_token' of the model's options."
            )
        self.reader, self.data_path = reader, str(data_path)
        self.batch_size, self.num_steps, self.max_characters = batch_size, num_steps, max_characters
        self.shuffle, self.seed = shuffle, seed
        self._epoch = 0
        # Epochs that are over, and windows of the one after them: what a resumed training has behind it.
        self._done = (0, 0)
        self._device: Optional[torch.device] = None
        self._text: Optional[EncodedSentences] = None
        self._types: numpy.ndarray = numpy.empty(0)

    def index_with(self, vocab: Vocabulary) -> None:
        """
        Reads and numbers the text.

        # Raises

        `ConfigurationError` where the vocabulary has no words, or the text can't be read, or, with `shuffle`, the
        vocabulary is not sorted; without, that is a warning.
        """
        words = word_vocabulary(vocab)
        sentences = islice(self.reader.sentences(self.data_path), self.reader.max_instances)
        self._text = encode_sentences(sentences, words)
        try:
            check_descending_counts(self._text, f"{self.data_path}: the vocabulary")
        except ValueError as error:
            if self.shuffle:
                raise ConfigurationError(str(error)) from error
            # Perhaps a held-out text of another kind; to that the order is all the same.
            logger.warning("%s", error)
        self._types = self._type_inputs(words)
        self._log(words)

    def _type_inputs(self, words: WordVocabulary) -> numpy.ndarray:
        """What the model reads of each type. Shape: (number of types, max_characters), or (number of types,)"""
        if self.max_characters is None:
            return words.encode(self._text.words) + 1
        return words_to_characters(self._text.words, self.max_characters, numpy.int16)

    def _log(self, words: WordVocabulary) -> None:
        text = self._text
        unknown = (text.type_ids >= text.vocabulary_size) | (text.type_ids == WordVocabulary.unknown_id)
        logger.info(
            "%s: %d sentences, %d tokens, of which %d (%.2f %%) are <UNK> to the softmax; %d windows an epoch",
            self.data_path,
            text.num_sentences,
            text.num_tokens,
            unknown.sum(),
            100 * unknown.mean(),
            len(self),
        )
        num_cut = 0 if self.max_characters is None else count_cut_words(text.words, self.max_characters)
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
        seed = (self.seed, epoch) if self.shuffle else None
        return Streams(self._text, self.batch_size, self.num_steps, seed, part, num_parts)

    def __len__(self) -> int:
        """Windows in the coming epoch. (The cut into rows depends on the order, so it may differ by one between epochs.)"""
        return len(self._streams(self._epoch))

    def __iter__(self) -> Iterator[TensorDict]:
        streams, (done_epochs, done_windows) = self._streams(self._epoch), self._done
        num_done = len(streams) if self._epoch < done_epochs else done_windows if self._epoch == done_epochs else 0
        self._epoch += 1
        for _ in range(num_done):
            yield {}
        for index, window in enumerate(streams.from_window(num_done), num_done):
            batch = self._tensors(window, is_first=index == 0)
            yield batch if self._device is None else move_to_device(batch, self._device)

    def jump_to(self, num_epochs: int, num_windows: int) -> None:
        """
        For a training that is taken up again: what it has behind it comes as empty batches, which cost nothing. (A
        trainer of AllenNLP counts its way through the batches that it did before.)

        # Parameters

        num_epochs : epochs that are over.
        num_windows : windows of the next epoch that are over.
        """
        self._done = (num_epochs, num_windows)

    def _tensors(self, window: Window, is_first: bool) -> TensorDict:
        batch = {
            "types": torch.from_numpy(self._types[window.types].astype(numpy.int64)),
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
        yield from self.reader.read(self.data_path)

    def set_target_device(self, device: torch.device) -> None:
        self._device = device
