import multiprocessing
import pickle
from pathlib import Path

import numpy
import pytest
import torch

from elmo_plugin import ElmoEmbedder
from elmo_plugin.bilm import packing
from elmo_plugin.bilm.batches import Batching
from elmo_plugin.bilm.char_cnn import WordEncoder
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.dump import DumpSettings, write_dump
from elmo_plugin.bilm.dump_writers import describe_store
from elmo_plugin.bilm.embedding import AVERAGE, SentenceReader, vectors_of
from elmo_plugin.bilm.ops import compiled_program
from elmo_plugin.bilm.ops.compiled_program import PanelMatrix, why_not
from elmo_plugin.bilm.ops.dispatch import forced
from elmo_plugin.bilm.ops.projected_lstm_reading import are_side_by_side
from elmo_plugin.bilm.packing import encoder_laid_out, laid_out, lstms_laid_out, with_weights
from elmo_plugin.bilm.weights import load_bilm
from tests.compiled import runs_here

FIXTURE = Path(__file__).parents[2] / "fixtures" / "bilm"
SENTENCES = [["The", "first", "sentence", "."], ["Another"], ["And", "a", "third", ",", "longer", "one", "."]]
# Of the largest number.
TOLERANCES = {"float16": 2e-3, "int8": 0.06}


@pytest.fixture
def bilm():
    return load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5").eval()


def vectors(reader):
    return vectors_of(reader.read(SENTENCES)[0], SENTENCES, AVERAGE, "float32")


@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_packed_weights_give_nearly_the_same_vectors(bilm, weights):
    exact, near = vectors(SentenceReader(bilm, "zero")), vectors(SentenceReader(bilm, "zero", weights=weights))
    for exact_one, near_one in zip(exact, near):
        error = numpy.abs(near_one - exact_one).max()
        assert 0 < error < TOLERANCES[weights] * numpy.abs(exact_one).max()


def test_the_model_itself_stays_as_it_is(bilm):
    before = vectors(SentenceReader(bilm, "zero"))
    names = list(bilm.state_dict())
    vectors(SentenceReader(bilm, "zero", weights="int8"))
    assert list(bilm.state_dict()) == names
    for one, other in zip(before, vectors(SentenceReader(bilm, "zero"))):
        numpy.testing.assert_array_equal(one, other)
    assert with_weights(bilm, "float32") is bilm


@pytest.mark.parametrize("weights", ["float32", "float16", "int8"])
def test_a_reader_may_be_sent_to_another_process(bilm, weights):
    reader = SentenceReader(bilm, "zero", weights=weights)
    for one, other in zip(vectors(reader), vectors(pickle.loads(pickle.dumps(reader)))):
        numpy.testing.assert_array_equal(one, other)
    # Torch hands the storages of tensors over as open files, none of them twice.
    process = multiprocessing.get_context("spawn").Process(target=len, args=([reader],))
    process.start()
    process.kill()
    process.join()


@pytest.mark.parametrize("is_compiled", [True, False])
def test_weights_laid_out_for_the_steps_give_the_same_vectors(bilm, is_compiled, monkeypatch):
    if not is_compiled:
        monkeypatch.setattr(packing, "is_compiled", lambda weight: False)
    elif why_not() is not None:
        pytest.skip(f"the compiled program can't run: {why_not()}")
    lengths = torch.tensor([5, 3, 1])
    given = torch.randn(3, 5, bilm.options.projection_dim, generator=torch.Generator().manual_seed(1)), lengths
    model = lstms_laid_out(bilm)
    with torch.no_grad(), forced("plain"):
        expected, expected_state = bilm.contextualize(*given, bilm.zero_state(3))
    with torch.no_grad():
        found, state = model.contextualize(*given, model.zero_state(3))
    tensors = [*found.layers, *state.forward_, *state.backward_]
    for one, other in zip(tensors, [*expected.layers, *expected_state.forward_, *expected_state.backward_]):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6 * float(other.abs().max()))
    weight = model.forward_lstm.layers[0].recurrent
    assert isinstance(weight, PanelMatrix if is_compiled else torch.Tensor)
    if not is_compiled:
        assert are_side_by_side([weight, model.backward_lstm.layers[0].recurrent])
    assert model.encoder.embedding.weight is bilm.encoder.embedding.weight


@pytest.mark.parametrize("is_compiled", [True, False])
def test_an_encoder_laid_out_gives_the_same_vectors(bilm, is_compiled, monkeypatch):
    if not is_compiled:
        monkeypatch.setattr(compiled_program, "_loaded", lambda: "not wanted")
    elif why_not() is not None:
        pytest.skip(f"the compiled program can't run: {why_not()}")
    characters = torch.from_numpy(words_to_characters([*SENTENCES[0], "x" * 60], 50))
    encoder = encoder_laid_out(bilm.encoder)
    with torch.no_grad(), forced("plain"):
        expected = bilm.encoder(characters)
    with torch.no_grad():
        torch.testing.assert_close(encoder(characters), expected, rtol=0, atol=1e-6 * float(expected.abs().max()))
    products = [encoder.projection, encoder.highways[0].transform, encoder.highways[0].carry]
    are_laid_out = [product.laid_out is not None for product in products]
    assert are_laid_out == [is_compiled and product.out_features % 16 == 0 for product in products]
    assert any(are_laid_out) is is_compiled
    assert encoder.convolutions[0].weight is bilm.encoder.convolutions[0].weight
    assert isinstance(bilm.encoder.projection, torch.nn.Linear)


def test_a_model_laid_out_has_both(bilm):
    model = laid_out(bilm)
    assert type(model.forward_lstm.layers[0]) is type(lstms_laid_out(bilm).forward_lstm.layers[0])
    assert type(model.encoder.projection) is type(encoder_laid_out(bilm.encoder).projection)
    assert not model.training and model.encoder is not bilm.encoder


def test_an_encoder_without_characters_stays_as_it_is():
    encoder = WordEncoder(5, 4)
    ids = torch.tensor([3, 1])
    assert torch.equal(encoder_laid_out(encoder)(ids), encoder(ids))


@pytest.mark.parametrize("weights", ["float16", "int8"])
def test_steps_in_half_precision_are_compiled_too(bilm, weights):
    layer = with_weights(bilm, weights).forward_lstm.layers[0]
    is_compiled = weights == "float16" and why_not() is None
    assert isinstance(layer.recurrent, PanelMatrix) == isinstance(layer.projection, PanelMatrix) == is_compiled


def test_only_weights_of_float32_are_laid_out(bilm):
    doubles = bilm.double()
    assert laid_out(doubles) is doubles


def test_only_parts_of_one_tensor_in_their_order_are_side_by_side():
    joined = torch.randn(3, 4, 5)
    assert are_side_by_side(list(joined)) and are_side_by_side([joined[1]])
    assert not are_side_by_side([joined[1], joined[0]])
    assert not are_side_by_side([joined[0], joined[2]])
    assert not are_side_by_side([joined[0], joined[1].clone()])
    assert not are_side_by_side(list(joined.transpose(1, 2)))


@pytest.mark.parametrize("weights", ["float32", "float16", "int8"])
def test_a_reader_that_forgets_reads_with_the_weights_that_there_are_now(bilm, weights):
    reader = SentenceReader(bilm, "zero", weights=weights)
    before = vectors(reader)
    with torch.no_grad():
        for parameter in (*bilm.forward_lstm.parameters(), *bilm.encoder.parameters()):
            parameter.mul_(0.5)
    reader.forget()
    after, expected = vectors(reader), vectors(SentenceReader(bilm, "zero", weights=weights))
    assert all((one != other).any() for one, other in zip(before, after))
    for one, other in zip(after, expected):
        numpy.testing.assert_array_equal(one, other)


def test_what_does_not_go_together_is_refused(bilm):
    with pytest.raises(ValueError, match="must be one of float32, float16, int8, but it is 'int4'"):
        SentenceReader(bilm, "zero", weights="int4")
    message = r"With `weights` \(--weights\) of int8 a sentence's vectors depend on its batch"
    with pytest.raises(ValueError, match=message):
        SentenceReader(bilm, "zero", invariant=True, weights="int8")
    with pytest.raises(ValueError, match="Only weights of float32 are packed"):
        with_weights(bilm.double(), "int8")


def test_a_packed_reader_stays_on_the_cpu(bilm):
    reader = SentenceReader(bilm, "zero", weights="float16")
    with pytest.raises(ValueError, match="are for the CPU, but the biLM is on meta"):
        reader.to("meta")
    assert reader.to("cpu") is reader


def test_no_store_is_written_with_fewer_bits(bilm):
    with pytest.raises(ValueError, match="A store stands for the biLM itself"):
        describe_store(SentenceReader(bilm, "zero", weights="int8"), "float32")


def begin_dump(bilm, path, **arguments):
    """One that is cut off after a part; what goes on with it."""

    class Stop(Exception):
        pass

    def stop(progress):
        if progress.num_done:
            raise Stop

    lines = [" ".join(sentence) for sentence in SENTENCES]
    settings = DumpSettings(AVERAGE, "float32", Batching(1), False, False)
    with pytest.raises(Stop):
        write_dump(SentenceReader(bilm, "zero", **arguments), lines, path, settings, on_progress=stop)
    return lambda reader: write_dump(reader, lines, path, settings)


def test_a_dump_with_other_weights_does_not_go_on_from_parts_of_this_one(bilm, tmp_path):
    go_on = begin_dump(bilm, tmp_path / "v.hdf5")
    with pytest.raises(ValueError, match="precision of weights"):
        go_on(SentenceReader(bilm, "zero", weights="int8"))


@runs_here
def test_an_invariant_dump_by_the_program_does_not_go_on_without_it(bilm, tmp_path, monkeypatch):
    go_on = begin_dump(bilm, tmp_path / "v.hdf5", invariant=True)
    with monkeypatch.context() as patch:
        patch.setattr(compiled_program, "_loaded", lambda: "not wanted")
        with pytest.raises(ValueError, match="invariance"):
            go_on(SentenceReader(bilm, "zero", invariant=True))
    go_on(SentenceReader(bilm, "zero", invariant=True))
    assert (tmp_path / "v.hdf5").is_file()


def test_an_invariant_dump_of_the_cpu_does_not_go_on_where_gpus_would_compute_it(bilm, tmp_path):
    begin_dump(bilm, tmp_path / "v.hdf5", invariant=True)
    lines = [" ".join(sentence) for sentence in SENTENCES]
    settings = DumpSettings(AVERAGE, batching=Batching(1), devices=["cuda:0", "cuda:1"])
    with pytest.raises(ValueError, match="it had other invariance"):
        write_dump(SentenceReader(bilm, "zero", invariant=True), lines, tmp_path / "v.hdf5", settings)


def test_the_embedder_of_sentences_takes_them():
    files = FIXTURE / "options.json", FIXTURE / "weights.hdf5"
    exact = ElmoEmbedder(*files, state="zero").embed_sentence(SENTENCES[0])
    near = ElmoEmbedder(*files, state="zero", weights="float16").embed_sentence(SENTENCES[0])
    assert 0 < numpy.abs(exact - near).max() < TOLERANCES["float16"] * numpy.abs(exact).max()
    assert torch.get_default_dtype() == torch.float32
