"""What a data path of `elmo_stream` names, as numbers: files of sentences or a prepared corpus."""

from typing import Iterable, Iterator, List, NamedTuple, Optional

import numpy

from elmo_plugin.bilm.encoded_text import EncodedText, TextShard, encode_text
from elmo_plugin.bilm.type_table import TypeTable
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.corpus.opening import check_vocabulary, find_split, open_shards, open_types
from elmo_plugin.data.dataset_readers.sentences import ElmoSentencesReader


class OpenedText(NamedTuple):
    """
    text : in memory, or in mapped files.
    num_unknown : tokens that are `<UNK>` to the softmax.
    is_prepared : whether it is a prepared corpus, whose vocabulary is known to be sorted.
    """

    text: EncodedText
    num_unknown: int
    is_prepared: bool


def open_text(data_path: str, reader: ElmoSentencesReader, words: WordVocabulary) -> OpenedText:
    """
    # Parameters

    data_path : a directory of a prepared corpus, or what the reader reads.
    reader : says how many sentences are read.
    words : the model's.

    # Raises

    `ValueError` where a prepared corpus is not whole or has another vocabulary; errors of the reader.
    """
    found = find_split(data_path)
    if found is None:
        text = encode_text(_first(reader.sentences_by_file(data_path), reader.max_instances), words)
        return OpenedText(text, text.count_unknown(), is_prepared=False)
    corpus, split = found
    types = open_types(corpus)
    check_vocabulary(corpus, types, words.words)
    shards = [
        TextShard(numpy.asarray(s.ids), numpy.asarray(s.offsets), str(s.ids.filename)) for s in open_shards(*found)
    ]
    table = TypeTable(numpy.frombuffer(types.data, dtype=numpy.uint8), types.begins)
    text = EncodedText(shards, table, len(words)).first(reader.max_instances)
    if reader.max_instances is None:
        return OpenedText(text, corpus.description["splits"][split]["out_of_vocabulary_tokens"], is_prepared=True)
    return OpenedText(text, text.count_unknown(), is_prepared=True)


def _first(texts: Iterable[Iterator[List[str]]], count: Optional[int]) -> Iterable[Iterator[List[str]]]:
    """Only the first `count` sentences, all if `None`."""
    if count is None:
        return texts
    left = iter(range(count))
    return ((sentence for sentence, _ in zip(text, left)) for text in texts)
