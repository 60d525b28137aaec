import copy
import io
import json
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

import h5py
import numpy
import pytest
import torch

from elmo_plugin import ElmoEmbedder, ElmoLanguageModel
from elmo_plugin import elmo_embedder as module
from elmo_plugin.bilm.out_of_memory import OutOfMemory
from elmo_plugin.bilm.weights import load_bilm
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

OPTIONS = PROJECT_ROOT / "fixtures" / "bilm" / "options.json"
WEIGHTS = PROJECT_ROOT / "fixtures" / "bilm" / "weights.hdf5"
LINES = (PROJECT_ROOT / "fixtures/corpus/heldout.txt").read_text().splitlines()[:24]
SENTENCES = [line.split() for line in LINES]
# As if AllenNLP were not installed.
WITHOUT_ALLENNLP = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in ("allennlp", "transformers") else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
import elmo_plugin
assert "torch" not in sys.modules
from elmo_plugin import ElmoEmbedder
try:
    ElmoEmbedder()
except ValueError as error:
    print(error)
print(ElmoEmbedder(*sys.argv[1:]).embed_sentence(["without", "AllenNLP"]).shape)
"""


def embedder(**named):
    return ElmoEmbedder(OPTIONS, WEIGHTS, **named)


def assert_all_close(some, others):
    assert len(some) == len(others)
    for one, other in zip(some, others):
        assert_close(one, other)


def test_a_sentence_is_an_array_of_layers():
    array = embedder().embed_sentence(["I", "ate", "an", "apple"])
    assert isinstance(array, numpy.ndarray)
    assert (array.shape, array.dtype) == ((3, 4, 32), "float32")


def test_all_ways_to_embed_give_the_same_vectors_in_the_order_of_the_sentences():
    elmo = embedder()
    alone = [elmo.embed_sentence(sentence) for sentence in SENTENCES]
    assert_all_close(elmo.embed_batch(SENTENCES), alone)
    assert_all_close(list(elmo.embed_sentences(iter(SENTENCES), batch_size=5)), alone)
    assert_all_close(list(elmo.embed_sentences(SENTENCES, token_budget=30)), alone)
    layers, mask = elmo.batch_to_embeddings(SENTENCES)
    assert layers.shape == (24, 3, max(map(len, SENTENCES)), 32)
    # Old programs reckon with it, `1 - mask` say.
    assert mask.dtype == torch.int64 and mask.sum(dim=1).tolist() == [len(sentence) for sentence in SENTENCES]
    assert_all_close([layer[:, : len(s)].numpy() for layer, s in zip(layers, SENTENCES)], alone)
    assert not layers[(1 - mask).bool().unsqueeze(1).expand(-1, 3, -1)].any()


def test_a_batch_without_a_sentence_has_no_layers():
    with pytest.raises(ValueError, match="`batch` must hold at least one sentence, but it is empty"):
        embedder().batch_to_embeddings([])


def test_sentences_may_come_without_end():
    endless = (["word", str(number)] for number in count())
    assert len(list(islice(embedder().embed_sentences(endless, batch_size=4), 50))) == 50
    assert len(list(islice(embedder(state="stateful").embed_sentences(endless, batch_size=4), 9))) == 9


def test_sentences_without_words_have_arrays_without_words():
    elmo = embedder(dtype="float16")
    assert elmo.embed_sentence([]).shape == (3, 0, 32)
    assert [array.shape for array in elmo.embed_batch([[], ["a"], []])] == [(3, 0, 32), (3, 1, 32), (3, 0, 32)]
    assert elmo.embed_sentence([]).dtype == "float16"
    assert elmo.embed_batch([]) == []


def test_an_empty_batch_leaves_the_carried_state_as_it_is():
    elmo = embedder(state="stateful")
    elmo.embed_sentence(SENTENCES[0])
    before = elmo.elmo_bilm.carried
    elmo.embed_batch([[]])
    assert elmo.elmo_bilm.carried is before


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_stateful_gives_the_vectors_of_allennlp_batch_after_batch(layer):
    elmo_module = pytest.importorskip("allennlp.modules.elmo")
    scalars = [-1e4, -1e4, -1e4]
    scalars[layer] = 0.0
    theirs = elmo_module.Elmo(str(OPTIONS), str(WEIGHTS), 1, dropout=0.0, scalar_mix_parameters=scalars).eval()
    ours = list(embedder(state="stateful").embed_sentences(SENTENCES, batch_size=5))
    for start in range(0, len(SENTENCES), 5):
        batch = SENTENCES[start : start + 5]
        with torch.no_grad():
            expected = theirs(elmo_module.batch_to_ids(batch))["elmo_representations"][0]
        for row, sentence, found in zip(expected, batch, ours[start:]):
            assert_close(found[layer], row[: len(sentence)])


def test_published_vectors_come_out_of_batches_of_three_in_the_stateful_policy(shared_data):
    folder = shared_data / "elmo" / "allennlp_fixture"
    elmo = ElmoEmbedder(folder / "options.json", folder / "lm_weights.hdf5", state="stateful")
    rows = json.loads((folder / "sentences.json").read_text())
    sentences = [sentence.split() for batch in zip(*rows) for sentence in batch]
    found = list(elmo.embed_sentences(sentences, batch_size=3))
    assert len(found) == 30
    for row in range(3):
        with h5py.File(folder / f"lm_embeddings_{row}.hdf5") as file:
            for number, layers in enumerate(found[row::3]):
                top = numpy.concatenate(list(file[str(number)][()]), axis=1)
                assert_close(layers[-1], top)


def test_device_and_dtype():
    assert embedder(device="cpu", cuda_device=7).elmo_bilm.bilm.boundaries.device.type == "cpu"
    whole, half = embedder().embed_batch(SENTENCES), embedder(dtype="float16").embed_batch(SENTENCES)
    assert all(numpy.array_equal(w.astype("float16"), h) and h.dtype == "float16" for w, h in zip(whole, half))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_vectors_of_the_cpu():
    assert_all_close(embedder(cuda_device=0).embed_batch(SENTENCES), embedder().embed_batch(SENTENCES))


@pytest.fixture
def hasty_threads():
    """Threads that leave the stage after a hundredth of a millisecond, in the middle of whatever they do."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(usual)


def test_threads_share_it(hasty_threads):
    elmo = embedder(cached_words=10)
    expected = embedder().embed_batch(SENTENCES)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: elmo.embed_batch(SENTENCES), range(8)):
            assert_all_close(found, expected)


def test_threads_take_turns_where_the_state_is_carried():
    elmo = embedder(state="stateful")
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda _: elmo.embed_sentence(SENTENCES[0]), range(8)))
    other = embedder(state="stateful")
    in_turn = [other.embed_sentence(SENTENCES[0]) for _ in range(8)]
    for expected in in_turn:
        assert any(numpy.allclose(found, expected, atol=1e-5 * numpy.abs(expected).max()) for found in together)


@pytest.mark.parametrize("state", ["steady", "stateful"])
def test_it_can_be_pickled_and_copied(state):
    elmo = embedder(state=state)
    elmo.embed_sentence(SENTENCES[0])
    copies = [pickle.loads(pickle.dumps(elmo)), copy.deepcopy(elmo)]
    expected = elmo.embed_sentence(SENTENCES[1])
    for other in copies:
        assert_all_close([other.embed_sentence(SENTENCES[1])], [expected])


def test_a_model_at_hand_embeds_as_its_files_do():
    elmo = ElmoEmbedder.from_bilm(load_bilm(OPTIONS, WEIGHTS), state="zero", dtype="float16", cached_words=3)
    expected = embedder(state="zero", dtype="float16").embed_sentence(SENTENCES[0])
    assert_close(elmo.embed_sentence(SENTENCES[0]), expected, 2e-3)
    steady = ElmoEmbedder.from_bilm(load_bilm(OPTIONS, WEIGHTS)).elmo_bilm.reader.steady
    assert steady.forward_.hidden.shape == (2, 1, 16)


def test_embed_file_writes_as_many_vectors_as_lines(tmp_path):
    text = "\n".join(LINES[:3] + ["", " a  b "]) + "\n"
    elmo = embedder()
    elmo.embed_file(io.StringIO(text), str(tmp_path / "v.hdf5"), "top", batch_size=2)
    with h5py.File(tmp_path / "v.hdf5") as file:
        assert sorted(file) == ["0", "1", "2", "3", "4", "sentence_to_index"]
        numbers = {LINES[0]: "0", LINES[1]: "1", LINES[2]: "2", "": "3", "a  b": "4"}
        assert json.loads(file["sentence_to_index"][0]) == numbers
        assert [file[str(index)].shape for index in range(5)][3:] == [(0, 32), (2, 32)]
        assert_all_close([file["4"][()]], [elmo.embed_sentence(["a", "b"])[-1]])
    elmo.embed_file(io.StringIO("a b"), tmp_path / "v.hdf5", use_sentence_keys=True)
    with h5py.File(tmp_path / "v.hdf5") as file:
        assert list(file) == ["a b"]
    assert [path.name for path in tmp_path.iterdir()] == ["v.hdf5"]


def test_a_string_in_place_of_words_is_refused():
    for call in (
        embedder().embed_sentence,
        lambda s: embedder().embed_batch([s]),
        lambda s: next(embedder().embed_sentences([s])),
    ):
        with pytest.raises(
            ValueError, match="must be a list of words, but it is the string 'I ate'. Give sentence.split()"
        ):
            call("I ate")


def test_words_that_are_no_strings_are_refused():
    with pytest.raises(ValueError, match=r"a list of strings, but found 7 \(int\)"):
        embedder().embed_sentence(["I", 7])


@pytest.mark.parametrize(
    "named, message",
    [
        (
            {"state": "stateful", "invariant": True},
            r"they can't be `invariant` \(--invariant\). Leave it out, or give another",
        ),
        ({"dtype": "int8"}, r"`dtype` \(--dtype\) must be one of float32, float16, but it is 'int8'"),
        ({"state": "warm"}, r"`state` \(--state\) must be one of zero, stateful, steady, but it is 'warm'"),
        ({"device": "gpu"}, "`device` must be the name of one, as \"cpu\" or \"cuda:0\", not 'gpu'"),
        ({"cuda_device": 99}, r"There is no device cuda:99: torch sees \d+ GPU\(s\).*-1 is the CPU"),
        (
            {"vocabulary_file": PROJECT_ROOT / "fixtures/bilm/vocabulary.txt"},
            "reads characters, so it needs no vocabulary",
        ),
        ({"cached_words": -1}, "must be 0 or more"),
    ],
)
def test_arguments_that_can_not_be_are_refused(named, message):
    with pytest.raises(ValueError, match=message):
        embedder(**named)


def raise_as_a_gpu_does(*_):
    raise torch.OutOfMemoryError("CUDA out of memory")


@pytest.mark.parametrize(
    "name, call",
    [
        ("elmo_plugin.elmo_embedder.vectors_of", lambda elmo: elmo.embed_batch(SENTENCES)),
        ("elmo_plugin.bilm.embedding.vectors_of", lambda elmo: next(elmo.embed_sentences(SENTENCES))),
        ("elmo_plugin.bilm.bilm.Representations.without_boundaries", lambda elmo: elmo.batch_to_embeddings(SENTENCES)),
    ],
)
def test_memory_that_runs_out_behind_the_biLM_has_the_same_remedy(name, call, monkeypatch):
    monkeypatch.setattr(name, raise_as_a_gpu_does)
    with pytest.raises(OutOfMemory, match=r"the vectors of a batch. Make batches smaller .* \(CUDA out of memory\)"):
        call(embedder())


def test_memory_that_runs_out_before_the_first_sentence_has_a_remedy(monkeypatch):
    monkeypatch.setattr("elmo_plugin.bilm.bilm.Bilm.to", raise_as_a_gpu_does)
    for model in (embedder, lambda: ElmoLanguageModel.from_export(PROJECT_ROOT / "fixtures/bilm", state="zero")):
        with pytest.raises(OutOfMemory, match="on cpu for the biLM itself. .* take another device"):
            model()


def test_a_batch_size_below_one_is_refused():
    with pytest.raises(ValueError, match="`batch_size` .* must be at least 1, but it is 0"):
        next(embedder().embed_sentences(SENTENCES, batch_size=0))


def test_without_allennlp_files_work_and_urls_say_why_not():
    command = [sys.executable, "-c", WITHOUT_ALLENNLP, str(OPTIONS), str(WEIGHTS)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT_ROOT), "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    url, shape = answer.stdout.splitlines()
    assert "is a URL, which only AllenNLP fetches, and that is not installed. Download it" in url
    assert shape == "(3, 2, 32)"


def test_the_package_has_no_other_lazy_names():
    import elmo_plugin

    with pytest.raises(AttributeError, match="has no attribute 'Elmo'"):
        elmo_plugin.Elmo


def test_the_default_files_are_those_of_allennlp():
    embedders = pytest.importorskip("allennlp.modules.token_embedders.elmo_token_embedder")
    import inspect

    named = inspect.signature(embedders.ElmoTokenEmbedder.__init__).parameters
    assert named["options_file"].default == module.DEFAULT_OPTIONS_FILE
    assert named["weight_file"].default == module.DEFAULT_WEIGHT_FILE
    assert Path(module.DEFAULT_WEIGHT_FILE).name == "elmo_2x4096_512_2048cnn_2xhighway_weights.hdf5"


def test_invariant_vectors_are_the_same_bits_in_any_batch():
    elmo = embedder(invariant=True)
    together = elmo.embed_batch(SENTENCES)
    for sentence, layers in zip(SENTENCES, together):
        assert numpy.array_equal(elmo.embed_sentence(sentence), layers)
