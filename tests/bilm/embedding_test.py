import random

import numpy
import pytest
import torch

from elmo_plugin.bilm.batches import Batching
from elmo_plugin.bilm.bilm import Bilm, Representations
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.embedding import SentenceReader, blocks_of, embed_block, steady_state_of, vectors_of
from elmo_plugin.bilm.ops import compiled_program
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.out_of_memory import OutOfMemory
from elmo_plugin.bilm.sidecar import Sidecar, load_sidecar, save_sidecar
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.state import put_rows, with_batch_size
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import load_bilm
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"
SENTENCES = [line.split() for line in (PROJECT_ROOT / "fixtures/corpus/heldout.txt").read_text().splitlines()[:20]]
SENTENCES[3:3] = [[], ["word"], SENTENCES[0] * 5, ["<S>", "č" * 60]]


@pytest.fixture()
def bilm():
    return load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5").eval()


def reader(bilm, policy="steady", **named):
    return SentenceReader(bilm, policy, steady_state_of(bilm, FIXTURE / "weights.hdf5"), **named)


def as_ids(sentences):
    ids = numpy.zeros((len(sentences), max(map(len, sentences)), 50), dtype=numpy.int64)
    for row, sentence in zip(ids, sentences):
        row[: len(sentence)] = words_to_characters(sentence, 50)
    return torch.from_numpy(ids)


def assert_alike(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others):
        assert one.shape == other.shape
        for layer, expected in zip(other, one):
            assert_close(layer, expected)


@pytest.mark.parametrize("policy", ["zero", "steady"])
def test_layers_are_those_of_the_bilm_on_the_characters(bilm, policy):
    this = reader(bilm, policy)
    state = bilm.zero_state(len(SENTENCES)) if policy == "zero" else this.steady.repeat_rows(len(SENTENCES))
    with torch.no_grad():
        expected, _ = bilm.represent(as_ids(SENTENCES), state)
    found, carried = this.read(SENTENCES)
    assert carried is None
    assert torch.equal(found.mask, expected.mask)
    for one, other in zip(found.layers, expected.layers):
        assert_close(one, other)


def test_the_stateful_policy_carries_the_state_from_batch_to_batch(bilm):
    this, carried, state = reader(bilm, "stateful"), None, bilm.zero_state(0)
    for start, stop in ((0, 3), (3, 8), (8, 10)):
        found, carried = this.read(SENTENCES[start:stop], carried)
        with torch.no_grad():
            before = with_batch_size(state, stop - start)
            expected, after = bilm.represent(as_ids(SENTENCES[start:stop]), before)
        state = put_rows(state, after)
        assert_close(found.layers[-1], expected.layers[-1])
    assert carried.batch_size == 5


@pytest.mark.parametrize("policy", ["zero", "steady"])
@pytest.mark.parametrize("batching", [Batching(1), Batching(3), Batching(None, 40), Batching(None, None)])
def test_a_sentence_has_its_vectors_whatever_the_batch_its_order_and_its_padding(bilm, policy, batching):
    alone = [embed_block(reader(bilm, policy), [sentence], Batching())[0][0] for sentence in SENTENCES]
    assert_alike(embed_block(reader(bilm, policy), SENTENCES, batching)[0], alone)
    order = list(range(len(SENTENCES)))
    random.Random(1).shuffle(order)
    shuffled, _ = embed_block(reader(bilm, policy), [SENTENCES[index] for index in order], batching)
    assert_alike(shuffled, [alone[index] for index in order])


@pytest.mark.parametrize("policy", ["zero", "steady"])
@pytest.mark.parametrize("batching", [Batching(3), Batching(None, 40), Batching(None, None)])
@pytest.mark.parametrize("form, may_compile", [("all", True), ("average", True), ("all", False)])
def test_invariant_vectors_are_the_same_bits_whatever_the_batch_its_order_and_its_padding(
    bilm, policy, batching, form, may_compile, monkeypatch
):
    if not may_compile:
        monkeypatch.setattr(compiled_program, "_loaded", lambda: "not wanted")
    this = reader(bilm, policy, invariant=True)
    alone = [embed_block(this, [sentence], Batching(), form=form)[0][0] for sentence in SENTENCES]
    order = list(range(len(SENTENCES)))
    random.Random(2).shuffle(order)
    for cached_words in (0, 1000):
        other = reader(bilm, policy, invariant=True, cached_words=cached_words)
        shuffled, _ = embed_block(other, [SENTENCES[index] for index in order], batching, form=form)
        assert all(numpy.array_equal(one, alone[index]) for one, index in zip(shuffled, order))
    if form == "all":
        assert_alike(alone, embed_block(reader(bilm, policy), SENTENCES, batching)[0])


def test_words_met_before_the_first_batch_are_invariant_too(bilm):
    this, other = (reader(bilm, invariant=True) for _ in range(2))
    with torch.no_grad():
        this.word_vectors(sorted({word for sentence in SENTENCES for word in sentence}))
    assert torch.equal(this.read(SENTENCES[:1])[0].layers[2], other.read(SENTENCES[:1])[0].layers[2])


def test_the_same_run_gives_the_very_same_bits(bilm):
    runs = [embed_block(reader(bilm), SENTENCES, Batching(None, 60))[0] for _ in range(2)]
    assert all(numpy.array_equal(one, other) for one, other in zip(*runs))


def test_remembering_few_words_or_none_changes_nothing(bilm):
    expected, _ = embed_block(reader(bilm), SENTENCES, Batching(4))
    for cached_words in (0, 5):
        assert_alike(embed_block(reader(bilm, cached_words=cached_words), SENTENCES, Batching(4))[0], expected)


def test_stateful_batches_are_in_the_order_of_the_text_and_blocks_continue_one_another(bilm):
    this = reader(bilm, "stateful")
    whole, _ = embed_block(this, SENTENCES, Batching(4))
    first, carried = embed_block(this, SENTENCES[:8], Batching(4))
    second, _ = embed_block(this, SENTENCES[8:], Batching(4), carried)
    assert_alike(whole, first + second)
    assert not numpy.allclose(whole[9], embed_block(this, SENTENCES[8:], Batching(4))[0][1], atol=1e-3)


def test_forms_and_dtypes(bilm):
    every, _ = embed_block(reader(bilm), SENTENCES, Batching())
    top, _ = embed_block(reader(bilm), SENTENCES, Batching(), form="top")
    average, _ = embed_block(reader(bilm), SENTENCES, Batching(), form="average")
    half, _ = embed_block(reader(bilm), SENTENCES, Batching(), dtype="float16")
    for layers, last, mean, small, sentence in zip(every, top, average, half, SENTENCES):
        assert layers.shape == small.shape == (3, len(sentence), 32)
        assert (layers.dtype, last.dtype, small.dtype) == ("float32", "float32", "float16")
        assert numpy.array_equal(layers[-1], last)
        assert_close(mean, layers.mean(axis=0))
        assert numpy.array_equal(layers.astype("float16"), small)


def test_arrays_do_not_keep_their_batch_alive(bilm):
    arrays, _ = embed_block(reader(bilm), SENTENCES, Batching())
    assert all(array.flags.owndata and array.flags.c_contiguous for array in arrays)


def test_numbers_beyond_float16_are_an_error():
    representations = Representations([torch.full((1, 3, 2), 70000.0)], torch.ones(1, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="above 65,504, which float16 can't hold. Use float32"):
        vectors_of(representations, [["a"]], "all", "float16")


def test_a_batch_too_large_for_the_memory_names_the_remedy(bilm, monkeypatch):
    monkeypatch.setattr(bilm, "contextualize", lambda *arguments: torch.empty(2**60))
    message = r"for a batch of 2 sentences of up to 11 words. Make batches smaller \(`batch_size`, `token_budget`; "
    with pytest.raises(OutOfMemory, match=message):
        reader(bilm).read([["a"] * 11, ["b"]])


def test_an_unknown_policy_and_a_missing_steady_state_are_refused(bilm):
    with pytest.raises(ValueError, match="must be one of zero, stateful, steady, but it is 'warm'"):
        SentenceReader(bilm, "warm")
    with pytest.raises(ValueError, match="needs a steady state; see `steady_state_of`"):
        SentenceReader(bilm, "steady")


def test_the_steady_state_is_the_one_that_was_exported(bilm, tmp_path):
    stored = load_sidecar(FIXTURE / "sidecar.hdf5", bilm.options).steady_state
    for found in (
        steady_state_of(bilm, FIXTURE / "weights.hdf5"),
        steady_state_of(bilm, tmp_path / "weights.hdf5", FIXTURE / "sidecar.hdf5"),
    ):
        assert torch.equal(found.backward_.memory, stored.backward_.memory)
    computed = steady_state_of(bilm, tmp_path / "weights.hdf5")
    assert computed.forward_.hidden.shape == stored.forward_.hidden.shape
    assert not torch.equal(computed.forward_.hidden, stored.forward_.hidden)


def test_a_sidecar_without_a_steady_state_is_refused_where_it_is_named(bilm, tmp_path):
    save_sidecar(tmp_path / "s.hdf5", Sidecar(Softmax(167, 16), None))
    with pytest.raises(ValueError, match="s.hdf5 holds no steady state"):
        steady_state_of(bilm, None, tmp_path / "s.hdf5")


def test_a_model_of_word_ids_reads_its_vocabulary_and_needs_a_stored_steady_state():
    options = {"lstm": {"dim": 4, "projection_dim": 3, "n_layers": 1}, "n_tokens_vocab": 4}
    model = Bilm(BilmOptions.from_dict(options)).eval()
    words = SentenceReader(model, "zero", vocabulary=WordVocabulary(["<S>", "</S>", "<UNK>", "a"]))
    with torch.no_grad():
        expected, _ = model.represent(torch.tensor([[4, 3], [4, 0]]), model.zero_state(2))
    found, _ = words.read([["a", "absent"], ["a"]])
    torch.testing.assert_close(found.layers[1], expected.layers[1])
    with pytest.raises(ValueError, match="A biLM of word ids has no steady state without a sidecar file"):
        steady_state_of(model)


def test_blocks_end_at_whole_steps_once_they_are_large_enough():
    sentences = [["a"] * length for length in (1, 1, 5, 1, 1, 1, 9)]
    assert [len(block) for block in blocks_of(sentences, 1, 5, 100)] == [3, 4]
    assert [len(block) for block in blocks_of(sentences, 2, 5, 100)] == [4, 3]
    assert [len(block) for block in blocks_of(sentences, 2, 100, 2)] == [2, 2, 2, 1]
    assert [len(block) for block in blocks_of(sentences, 3)] == [3, 3, 1]
    assert list(blocks_of([], 3)) == []
