import json
import shutil
from copy import deepcopy

import pytest
import torch
from allennlp.commands import main
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.models import Model
from allennlp.models.archival import load_archive

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.data.vocabulary import ElmoVocabulary
from elmo_plugin.models.bilm_initializer import BilmInitializer, Pretrained

OPTIONS, WEIGHTS = "fixtures/bilm/options.json", "fixtures/bilm/weights.hdf5"
FILES = {"options_file": OPTIONS, "weight_file": WEIGHTS}


@pytest.fixture(autouse=True)
def in_the_projects_root(project_root, monkeypatch):
    monkeypatch.chdir(project_root)


@pytest.fixture
def new_words(tmp_path):
    """A vocabulary with two words that the fixture's biLM never predicted, and without one that it did."""
    words = WordVocabulary.from_file("fixtures/bilm/vocabulary.txt").words
    path = tmp_path / "new.txt"
    WordVocabulary([*words[:10], "zebra", *words[11:], "zebras"]).to_file(path)
    return str(path)


def build(initializer, vocabulary_file="fixtures/bilm/vocabulary.txt", **more):
    params = Params(deepcopy({"type": "language_model", "initializer": initializer, **more}))
    return Model.from_params(params, vocab=ElmoVocabulary.from_word_file(vocabulary_file))


def same_weights(one, other):
    state = other.state_dict()
    return all(torch.equal(tensor, state[name]) for name, tensor in one.state_dict().items())


def test_a_model_begins_with_the_weights_and_the_softmax_of_exported_files():
    model = build(FILES)
    assert same_weights(model.language_model.bilm, load_bilm(OPTIONS, WEIGHTS))
    known = BilmInitializer(**FILES).load().known
    assert same_weights(model.language_model.softmax, known.softmax)


def test_known_words_keep_their_rows_and_new_ones_get_some(new_words):
    old = build(FILES)
    new = build(FILES, new_words)
    old_ids, new_ids = (WordVocabulary.from_file(f).word_to_id for f in ("fixtures/bilm/vocabulary.txt", new_words))
    for word in old_ids.keys() & new_ids.keys():
        rows = [m.language_model.softmax.weight[ids[word]] for m, ids in ((old, old_ids), (new, new_ids))]
        assert torch.equal(*rows)
    made_up = new.language_model.softmax.weight[[new_ids["zebra"], new_ids["zebras"]]]
    assert bool(made_up.any(dim=1).all()) and bool(torch.isfinite(made_up).all())


def test_without_its_softmax_a_model_gets_a_new_one():
    kept, built = build(FILES), build({**FILES, "keep_softmax": False})
    assert same_weights(kept.language_model.bilm, built.language_model.bilm)
    assert not torch.allclose(kept.language_model.softmax.weight, built.language_model.softmax.weight, atol=0.1)


def test_weights_alone_are_enough(tmp_path):
    for path in (OPTIONS, WEIGHTS):
        shutil.copy(path, tmp_path)
    files = {"options_file": str(tmp_path / "options.json"), "weight_file": str(tmp_path / "weights.hdf5")}
    assert BilmInitializer(**files).load().known is None
    built, thrown_away = build(files), build({**FILES, "keep_softmax": False})
    assert same_weights(built.language_model, thrown_away.language_model)


def test_the_allennlp_fixture_becomes_trainable(project_root):
    folder = project_root.parent / "shared/data/elmo/allennlp_fixture"
    if not folder.is_dir():
        pytest.skip("the folder of real data is not beside the project")
    files = {"options_file": str(folder / "options.json"), "weight_file": str(folder / "lm_weights.hdf5")}
    model = build(files)
    assert same_weights(model.language_model.bilm, load_bilm(**files))
    assert model.language_model.softmax.num_words == 167


def test_the_shipped_config_trains_the_head_first_and_its_archive_needs_no_other_file(tmp_path, capsys):
    for name in ("options.json", "weights.hdf5"):
        shutil.copy(f"fixtures/bilm/{name}", tmp_path)
    with open("fixtures/corpus/train.txt") as text:
        lines = text.readlines()
    (tmp_path / "text.txt").write_text("".join(lines[:300]))
    overrides = {
        "model.initializer": {
            "options_file": str(tmp_path / "options.json"),
            "weight_file": str(tmp_path / "weights.hdf5"),
        },
        "train_data_path": str(tmp_path / "text.txt"),
        "validation_data_path": str(tmp_path / "text.txt"),
        "trainer.num_epochs": 2,
    }
    argv = ["allennlp", "train", "training_configs/bilm_finetune.jsonnet", "-s", str(tmp_path / "out")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", [*argv, "-o", json.dumps(overrides)])
        main()
    perplexities = [
        json.loads((tmp_path / "out" / f"metrics_epoch_{epoch}.json").read_text())["validation_perplexity"]
        for epoch in (0, 1)
    ]
    assert perplexities[1] < perplexities[0]
    states = [torch.load(tmp_path / "out" / f"model_state_e{epoch}_b0.th") for epoch in (1, 2)]
    before = load_bilm(OPTIONS, WEIGHTS).state_dict()
    name = "forward_lstm.layers.0.weight_input"
    after_head, after_all = (state[f"language_model.bilm.{name}"] for state in states)
    assert torch.equal(after_head, before[name]) and not torch.equal(after_all, before[name])
    (tmp_path / "options.json").unlink()
    (tmp_path / "weights.hdf5").unlink()
    loaded = load_archive(tmp_path / "out" / "model.tar.gz").model
    best = torch.load(tmp_path / "out" / "best.th")
    assert torch.equal(loaded.language_model.bilm.state_dict()[name], best[f"language_model.bilm.{name}"])


@pytest.mark.parametrize(
    "given, message",
    [
        ({}, "options_file and weight_file must be given"),
        ({"options_file": OPTIONS}, "weight_file must be given"),
        ({"archive_file": "a", "weight_file": "b"}, "so weight_file must not be given"),
        ({"archive_file": "a", "sidecar_file": "b"}, "so sidecar_file must not be given"),
    ],
)
def test_files_that_make_no_sense_together_are_refused(given, message):
    with pytest.raises(ConfigurationError, match=message):
        BilmInitializer(**given)


def test_a_missing_file_is_named():
    with pytest.raises(ConfigurationError, match="absent.hdf5"):
        BilmInitializer(None, OPTIONS, "fixtures/bilm/absent.hdf5").load()


def test_a_vocabulary_of_another_softmax_is_refused(tmp_path):
    short = tmp_path / "short.txt"
    WordVocabulary(["<S>", "</S>", "<UNK>", "a"]).to_file(short)
    with pytest.raises(ConfigurationError, match="over 167 words, but .*short.txt has 4"):
        BilmInitializer(**FILES, vocabulary_file=str(short)).load()


def test_options_of_another_shape_are_refused():
    options = json.loads(open(OPTIONS).read())
    options["lstm"]["dim"] += 1
    with pytest.raises(ConfigurationError, match="Leave `options` out"):
        build(FILES, options=options)


def test_options_with_another_table_of_symbols_are_refused(monkeypatch):
    marks = ["<bos>", "<eos>", "<oov>", "<pad>", "<bow>", "<eow>"]
    symbols = {"characters": [*marks, "a"], "embedding": {"dim": 2}, "filters": [[1, 4]], "max_symbols_per_token": 6}
    lstm = {"dim": 4, "projection_dim": 3, "n_layers": 1}
    other = {"symbol_cnn": {**symbols, "characters": [*marks, "a", "b"]}, "lstm": lstm}
    pretrained = Pretrained(Bilm(BilmOptions.from_dict({"symbol_cnn": symbols, "lstm": lstm})), None, "this model")
    monkeypatch.setattr(BilmInitializer, "load", lambda self: pretrained)
    with pytest.raises(ConfigurationError, match="(?s)this model, has .*Leave `options` out"):
        build(FILES, options=other)


def test_without_options_and_pretrained_model_there_is_no_model():
    with pytest.raises(ConfigurationError, match="needs `options`"):
        build(None)
