import logging

import pytest
import torch
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import DataLoader, DatasetReader, Vocabulary

from elmo_plugin.bilm.characters import word_to_characters
from elmo_plugin.data.data_loaders import stream
from elmo_plugin.data.dataset_readers.sentences import ElmoSentencesReader
from elmo_plugin.data.dataset_readers.tagging import TaggingReader
from elmo_plugin.data.vocabulary import ElmoVocabulary

WORDS = ["<S>", "</S>", "<UNK>", "a", "b", "c"]
TEXT = "a b zebra\nc\nb b a c\na\n"
NUM_TARGETS = 9 + 4


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("\n".join(WORDS))
    return ElmoVocabulary.from_word_file(str(path))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def loader_of(path, vocabulary=None, reader=None, **arguments):
    reader = ElmoSentencesReader() if reader is None else reader
    loader = DataLoader.from_params(Params({"type": "elmo_stream", **arguments}), reader=reader, data_path=str(path))
    if vocabulary is not None:
        loader.index_with(vocabulary)
    return loader


def row_of(batches, row=0):
    """The steps of one row, as (characters read forward, target) and the same backward."""
    steps = []
    for batch in batches:
        end = batch["lengths"][row] if "lengths" in batch else batch["forward_inputs"].size(1)
        for step in range(end):
            forward, backward = (batch["types"][batch[f"{d}_inputs"][row, step]] for d in ("forward", "backward"))
            targets = [int(batch[f"{d}_targets"][row, step]) for d in ("forward", "backward")]
            steps.append((forward.tolist(), targets[0], backward.tolist(), targets[1]))
    return steps


def test_batches_hold_windows_of_both_directions_over_distinct_words(path, vocabulary):
    batches = list(loader_of(path, vocabulary, batch_size=1, num_steps=5, max_characters=8))
    keys = {"types", "forward_inputs", "backward_inputs", "forward_targets", "backward_targets", "is_first"}
    assert [set(batch) - {"lengths"} for batch in batches] == [keys] * 3
    assert [batch["is_first"] for batch in batches] == [True, False, False]
    for batch in batches:
        assert batch["types"].dtype == torch.int64 and batch["types"].size(1) == 8
        assert len(torch.unique(batch["types"], dim=0)) == len(batch["types"])
        for name in keys - {"types", "is_first"}:
            assert batch[name].shape == (1, 5) and batch[name].dtype == torch.int64
    steps = row_of(batches)
    assert len(steps) == NUM_TARGETS
    read = [
        [word_to_characters(word, 8) for word in words.split()] for words in ("<S> a b zebra <S> c", "</S> zebra b a")
    ]
    assert [step[0] for step in steps[:6]] == read[0]
    assert [step[1] for step in steps[:6]] == [3, 4, 2, 1, 5, 1]
    assert [step[2] for step in steps[:4]] == read[1]
    assert [step[3] for step in steps[:4]] == [2, 4, 3, 0]


def test_only_windows_in_which_a_row_has_ended_have_lengths(path, vocabulary):
    batches = list(loader_of(path, vocabulary, batch_size=1, num_steps=5))
    assert ["lengths" in batch for batch in batches] == [False, False, True]
    assert batches[2]["lengths"].tolist() == [3] and batches[2]["lengths"].dtype == torch.int64


@pytest.mark.parametrize("batch_size, num_steps", [(1, 1), (2, 3), (3, 20), (32, 20)])
def test_its_length_is_known_and_every_token_is_a_target_once(path, vocabulary, batch_size, num_steps):
    loader = loader_of(path, vocabulary, batch_size=batch_size, num_steps=num_steps)
    batches = list(loader)
    assert len(loader) == len(batches)
    assert sum(len(row_of(batches, row)) for row in range(batch_size)) == NUM_TARGETS


def test_an_epoch_without_shuffling_is_like_the_one_before(path, vocabulary):
    loader = loader_of(path, vocabulary, batch_size=2, num_steps=4)
    assert row_of(loader) == row_of(loader)


def test_epochs_are_shuffled_each_in_its_own_way_and_alike_from_the_same_seed(tmp_path, vocabulary):
    path = tmp_path / "long.txt"
    path.write_text("".join("a " * number + "\n" for number in range(1, 40)))

    def epochs(**arguments):
        loader = loader_of(path, vocabulary, batch_size=1, num_steps=7, shuffle=True, **arguments)
        return [row_of(loader), row_of(loader)]

    first = epochs()
    assert first == epochs()
    assert first[0] != first[1] and first[0] != epochs(seed=1)[0]
    assert sorted(first[0]) == sorted(first[1]) == sorted(row_of(loader_of(path, vocabulary, batch_size=1)))


def test_the_length_is_that_of_the_coming_epoch(tmp_path, vocabulary):
    path = tmp_path / "long.txt"
    path.write_text("".join("a " * (1 + number * 5 % 17) + "\n" for number in range(1, 40)))
    loader = loader_of(path, vocabulary, batch_size=3, num_steps=2, shuffle=True)
    lengths = []
    for _ in range(8):
        lengths.append(len(loader))
        assert sum(1 for _ in loader) == lengths[-1]
    assert len(set(lengths)) > 1, "the text does not show the difference"


def test_workers_have_disjoint_rows_the_union_of_which_is_the_text(path, vocabulary, monkeypatch):
    monkeypatch.setattr(stream, "is_distributed", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    rows, lengths = [], set()
    for rank in range(2):
        monkeypatch.setattr(torch.distributed, "get_rank", lambda rank=rank: rank)
        loader = loader_of(path, vocabulary, batch_size=2, num_steps=3)
        batches = list(loader)
        lengths.add(len(batches))
        rows += [row_of(batches, row) for row in range(2)]
    monkeypatch.undo()
    batches = list(loader_of(path, vocabulary, batch_size=4, num_steps=3))
    assert rows == [row_of(batches, row) for row in range(4)]
    assert lengths == {len(batches)}


def test_a_model_of_word_ids_gets_shifted_ids_with_unknown_words_as_unknown(path, vocabulary):
    [batch] = loader_of(path, vocabulary, batch_size=1, num_steps=20, max_characters=None)
    assert batch["types"].dim() == 1
    read = batch["types"][batch["forward_inputs"][0, :5]].tolist()
    assert read == [1 + WORDS.index(word) for word in ("<S>", "a", "b", "<UNK>", "<S>")]


def test_it_stands_on_the_device_that_it_was_told(path, vocabulary):
    loader = loader_of(path, vocabulary)
    loader.set_target_device(torch.device("meta"))
    batch = next(iter(loader))
    assert {tensor.device.type for tensor in batch.values() if isinstance(tensor, torch.Tensor)} == {"meta"}


def test_the_log_counts_sentences_tokens_and_unknown_words(path, vocabulary, caplog):
    with caplog.at_level(logging.INFO, "elmo_plugin"):
        loader_of(path, vocabulary, batch_size=1, num_steps=5)
    assert (
        "text.txt: 4 sentences, 9 tokens, of which 1 (11.11 %) are <UNK> to the softmax; 3 windows an epoch"
        in caplog.text
    )


def test_words_that_are_cut_are_counted(tmp_path, vocabulary, caplog):
    path = tmp_path / "long.txt"
    path.write_text("a " + "x" * 10000 + " b\n" + "中" * 17 + "\n")
    batches = list(loader_of(path, vocabulary))
    assert "long.txt: 2 distinct words are longer than 48 bytes and are cut there" in caplog.text
    assert batches[0]["types"].size(1) == 50


def test_the_reader_says_how_many_sentences_are_read(path, vocabulary):
    reader = DatasetReader.from_params(Params({"type": "elmo_sentences", "max_instances": 2}))
    batches = list(loader_of(path, vocabulary, reader, batch_size=1))
    assert len(row_of(batches)) == 4 + 2


def test_instances_are_the_readers(path):
    instances = list(loader_of(path).iter_instances())
    assert [token.text for token in instances[0]["source"]] == ["a", "b", "zebra"]
    assert len(instances) == 4


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"batch_size": 0}, "`batch_size` of elmo_stream must be at least 1, but it is 0"),
        ({"num_steps": -1}, "`num_steps` of elmo_stream must be at least 1, but it is -1"),
        ({"seed": -1}, "`seed` of elmo_stream must be at least 0, but it is -1"),
        ({"prefetch": -1}, "`prefetch` of elmo_stream must be at least 0, but it is -1"),
        ({"max_characters": 2}, "`max_characters` of elmo_stream must be at least 3 .* or null .* but it is 2"),
    ],
)
def test_impossible_arguments_are_named(path, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        loader_of(path, **arguments)


def test_another_reader_is_refused(path):
    with pytest.raises(ConfigurationError, match='reader is a TaggingReader. Use .*"type": "elmo_sentences"'):
        loader_of(path, reader=TaggingReader())


def test_without_a_vocabulary_it_says_so(path):
    for use in (len, lambda loader: next(iter(loader))):
        with pytest.raises(ConfigurationError, match="elmo_stream has no vocabulary yet; call `index_with` first"):
            use(loader_of(path))
    with pytest.raises(ConfigurationError, match="no words in the namespace 'elmo_words'"):
        loader_of(path, Vocabulary())


def test_errors_of_the_text_are_the_readers(tmp_path, vocabulary):
    with pytest.raises(ConfigurationError, match="There is no file .*none.txt"):
        loader_of(tmp_path / "none.txt", vocabulary)


@pytest.fixture
def unsorted(tmp_path):
    """A text of the words w0, w1, …, the earlier the more frequent, and a vocabulary in the reverse order."""
    counts = [2000 // (number + 1) for number in range(60)]
    path, words = tmp_path / "zipf.txt", tmp_path / "unsorted.txt"
    path.write_text("".join(f"w{number}\n" * count for number, count in enumerate(counts)))
    words.write_text("<S>\n</S>\n<UNK>\n" + "".join(f"w{number}\n" for number in reversed(range(60))))
    return path, ElmoVocabulary.from_word_file(str(words))


def test_a_vocabulary_out_of_order_is_refused_in_training(unsorted):
    with pytest.raises(ConfigurationError, match="zipf.txt: the vocabulary is not in descending order of count"):
        loader_of(*unsorted, shuffle=True)


def test_a_vocabulary_out_of_order_is_a_warning_where_the_text_may_be_held_out(unsorted, caplog):
    assert len(loader_of(*unsorted)) > 0
    assert "zipf.txt: the vocabulary is not in descending order of count" in caplog.text


def test_batches_made_ahead_are_the_same_and_resume_alike(path, vocabulary):
    def batches_of(jump, **arguments):
        loader = loader_of(path, vocabulary, batch_size=1, num_steps=2, shuffle=True, **arguments)
        loader.jump_to(*jump)
        return [batch for _ in range(3) for batch in loader]

    for jump in ((0, 0), (1, 2)):
        for ours, expected in zip(batches_of(jump, prefetch=3), batches_of(jump), strict=True):
            assert_same_batch(ours, expected)


def assert_same_batch(ours, expected):
    assert ours.keys() == expected.keys()
    for name, value in ours.items():
        assert torch.equal(value, expected[name]) if isinstance(value, torch.Tensor) else value == expected[name]


@pytest.mark.parametrize("prefetch", [0, 2])
def test_an_epoch_that_is_given_up_counts_as_one(path, vocabulary, prefetch):
    loader = loader_of(path, vocabulary, batch_size=1, num_steps=2, shuffle=True, prefetch=prefetch)
    expected = loader_of(path, vocabulary, batch_size=1, num_steps=2, shuffle=True)
    next(iter(loader))
    list(expected)
    for ours, theirs in zip(loader, expected, strict=True):
        assert_same_batch(ours, theirs)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("prefetch", [None, 0, 1])
def test_on_a_gpu_the_batches_are_the_same(path, vocabulary, prefetch):
    loader = loader_of(path, vocabulary, batch_size=1, num_steps=2, prefetch=prefetch)
    loader.set_target_device(torch.device("cuda", 0))
    for ours, expected in zip(loader, loader_of(path, vocabulary, batch_size=1, num_steps=2), strict=True):
        assert ours["types"].is_cuda
        on_cpu = {name: value.cpu() if isinstance(value, torch.Tensor) else value for name, value in ours.items()}
        assert_same_batch(on_cpu, expected)
