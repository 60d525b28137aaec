import json
import logging
import shutil

import pytest
import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.models.archival import load_archive
from allennlp.modules import TokenEmbedder
from allennlp.predictors import Predictor

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.dump import DumpSettings, write_dump
from elmo_plugin.bilm.dump_writers import describe_store
from elmo_plugin.bilm.embedding import SentenceReader, steady_state_of
from elmo_plugin.bilm.store import StoreWriter
from elmo_plugin.bilm.weights import load_bilm, save_weights
from elmo_plugin.modules.archived_options import json_to_tensor
from elmo_plugin.modules.elmo_precomputed import STORE_BUFFER
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"
FILES = {"options_file": str(FIXTURE / "options.json"), "weight_file": str(FIXTURE / "weights.hdf5")}
TAGGED = PROJECT_ROOT / "fixtures" / "tagged"


def sentences_of(path):
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    return [" ".join(line.split()[0] for line in block.splitlines() if not line.startswith("#")) for block in blocks]


def write_store(folder, lines):
    bilm = load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5")
    reader = SentenceReader(bilm, "steady", steady_state_of(bilm, FIXTURE / "weights.hdf5"))
    description = describe_store(reader, "float32")
    write_dump(
        reader, lines, folder, DumpSettings(), True, None, lambda path: StoreWriter(path, description, reader.steady)
    )
    return str(folder)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("store") / "store"
    return write_store(folder, sentences_of(TAGGED / "train.conll") + sentences_of(TAGGED / "dev.conll"))


def embedder_of(name, **arguments):
    return TokenEmbedder.from_params(Params({"type": name, "dropout": 0.0, **arguments}))


def characters(lines):
    sentences = [line.split() for line in lines]
    result = torch.zeros(len(sentences), max(map(len, sentences)), 50, dtype=torch.int64)
    for row, sentence in zip(result, sentences):
        row[: len(sentence)] = torch.from_numpy(words_to_characters(sentence, 50))
    return result


LINES = [*sentences_of(TAGGED / "train.conll")[:5], "", sentences_of(TAGGED / "dev.conll")[0]]


@pytest.mark.parametrize(
    "arguments", [{}, {"gamma": 2.0}, {"scalar_mix_parameters": [0.0, 1.0, -1.0]}, {"num_output_representations": 2}]
)
def test_the_vectors_and_the_gradients_of_the_mix_are_those_of_the_live_bilm(store, arguments):
    live, stored = embedder_of("elmo", **FILES, **arguments), embedder_of("elmo_precomputed", store=store, **arguments)
    assert live.get_output_dim() == stored.get_output_dim()
    expected, found = live(characters(LINES)), stored(characters(LINES))
    assert_close(found, expected)
    weights = torch.linspace(-1.0, 1.0, found.size(-1))
    if found.requires_grad:
        for embedded in (expected, found):
            (embedded * weights).sum().backward()
    names = [name for name, _ in stored.named_parameters()]
    assert names == [name for name, _ in live.named_parameters() if not name.startswith("bilm.")]
    for name, parameter in stored.named_parameters():
        of_live = dict(live.named_parameters())[name].grad
        assert (parameter.grad is None) == (of_live is None)
        if of_live is not None:
            torch.testing.assert_close(parameter.grad, of_live, atol=1e-3, rtol=1e-4)
    assert stored.mix_metrics() == pytest.approx(live.mix_metrics())


def test_projection_and_dropout_are_as_in_elmo(store):
    stored = embedder_of("elmo_precomputed", store=store, projection_dim=5)
    assert stored.get_output_dim() == 5 and stored(characters(LINES)).shape == (
        7,
        max(map(len, map(str.split, LINES))),
        5,
    )
    dropped = TokenEmbedder.from_params(Params({"type": "elmo_precomputed", "store": store})).train()(
        characters(LINES[:1])
    )
    assert 0.2 < (dropped == 0).float().mean() < 0.8


def test_layer_norm_is_over_the_words(store):
    layers = embedder_of("elmo_precomputed", store=store)._layers(characters(LINES[:1]))[0]
    expected = sum((layer - layer.mean()) / layer.std(unbiased=False) for layer in layers) / 3
    found = embedder_of("elmo_precomputed", store=store, do_layer_norm=True)(characters(LINES[:1]))
    assert_close(found, expected, 1e-4)


def test_the_state_dict_holds_no_bilm(store):
    stored = embedder_of("elmo_precomputed", store=store, **FILES)
    assert set(stored.state_dict()) == {
        "elmo_store_json",
        "scalar_mix_0.gamma",
        *(f"scalar_mix_0.scalar_parameters.{j}" for j in range(3)),
    }


def test_new_sentences_are_computed_where_the_weights_are_given_and_a_warning_says_so(store, caplog):
    lines = [LINES[0], "nobody has stored this"]
    expected = embedder_of("elmo", **FILES)(characters(lines))
    stored = embedder_of("elmo_precomputed", store=store, **FILES)
    with caplog.at_level(logging.WARNING, "elmo_plugin"):
        assert_close(stored(characters(lines)), expected)
        stored(characters(lines))
    told = "The store lacks 1 of the first 2 sentences that came, such as 'nobody has stored this'. They are computed"
    assert caplog.text.count(told) == 1


def other_weights(folder):
    bilm = load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5")
    with torch.no_grad():
        bilm.forward_lstm.layers[0].bias[0] += 1
    save_weights(bilm, folder / "other.hdf5")
    return str(folder / "other.hdf5")


def test_other_weights_than_those_of_the_store_are_refused(store, tmp_path):
    with pytest.raises(
        ConfigurationError, match="The embedder elmo_precomputed: The store was computed with a biLM of fingerpr"
    ):
        embedder_of(
            "elmo_precomputed", store=store, options_file=FILES["options_file"], weight_file=other_weights(tmp_path)
        )


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            {"store": "nowhere"},
            "nowhere is no store of vectors: .* Give the folder that `allennlp elmo TEXT FOLDER --all --format st",
        ),
        ({"options_file": "o"}, "elmo_precomputed: `weight_file` is missing. Give both files, or neither"),
        ({"weight_file": "w"}, "elmo_precomputed: `options_file` is missing. Give both files, or neither"),
        (
            {**FILES, "weight_file": "no.hdf5"},
            "no.hdf5.* Give the files of the biLM that the store was computed with, or none",
        ),
        ({"scalar_mix_parameters": [1.0]}, "elmo_precomputed: `scalar_mix_parameters` must hold one number"),
        ({"num_output_representations": 0}, "`num_output_representations` of the embedder elmo_precomputed is"),
    ],
)
def test_what_can_not_work_is_an_error_that_names_it(store, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        embedder_of("elmo_precomputed", **{"store": store, **arguments})


def test_a_missing_sentence_and_another_width_are_errors_that_name_the_remedy(store):
    with pytest.raises(ConfigurationError, match="no vectors of the sentence 'new words', .* Give `options_file` and"):
        embedder_of("elmo_precomputed", store=store)(characters(["new words"]))
    with pytest.raises(ConfigurationError, match="Give the token indexer the width 50"):
        embedder_of("elmo_precomputed", store=store)(characters(["new words"])[:, :, :20])


def train(folder, embedder):
    config = {
        "dataset_reader": {"type": "elmo_tagging", "token_indexers": {"elmo": {"type": "elmo_character_ids"}}},
        "train_data_path": str(TAGGED / "train.conll"),
        "validation_data_path": str(TAGGED / "dev.conll"),
        "model": {
            "type": "elmo_tagger",
            "dropout": 0.0,
            "text_field_embedder": {"token_embedders": {"elmo": {"dropout": 0.0, **embedder}}},
            "encoder": {"type": "lstm", "hidden_size": 6, "bidirectional": True},
        },
        "data_loader": {"batch_size": 8, "shuffle": True},
        "trainer": {"num_epochs": 2, "optimizer": {"type": "adam", "lr": 0.01}},
    }
    train_model(Params(json.loads(json.dumps(config))), str(folder))
    return json.loads((folder / "metrics.json").read_text())


def test_a_tagger_learns_from_the_store_what_it_learns_from_the_live_bilm_and_predicts_with_the_weights(
    tmp_path, store
):
    live = train(tmp_path / "live", {"type": "elmo", **FILES})
    copied = shutil.copytree(store, tmp_path / "copied")
    stored = train(tmp_path / "stored", {"type": "elmo_precomputed", "store": str(copied)})
    for name in (
        "training_loss",
        "validation_loss",
        "validation_f1",
        "validation_elmo/gamma",
        "validation_elmo/layer_1",
    ):
        assert stored[name] == pytest.approx(live[name], rel=1e-3), name
    archive = str(tmp_path / "stored" / "model.tar.gz")
    shutil.rmtree(copied)

    def predictor_of(path, overrides):
        return Predictor.from_archive(load_archive(path, overrides=overrides), "elmo_tagger")

    new = {"sentence": "Nobody has stored this about Oslo."}
    with pytest.raises(ConfigurationError, match="no vectors of the sentence 'Nobody has stored this about Oslo .'"):
        predictor_of(archive, {}).predict_json(new)
    prefix = "model.text_field_embedder.token_embedders.elmo"
    overrides = {f"{prefix}.{name}": path for name, path in FILES.items()}
    found = predictor_of(archive, overrides).predict_json(new)
    expected = predictor_of(str(tmp_path / "live" / "model.tar.gz"), {}).predict_json(new)
    assert found["tags"] == expected["tags"]
    with pytest.raises(ConfigurationError, match="computed with a biLM of fingerprint"):
        predictor_of(archive, {**overrides, f"{prefix}.weight_file": other_weights(tmp_path)})


def test_an_archive_whose_weights_are_gone_loads_and_says_that_only_stored_sentences_can_be_embedded(
    tmp_path, store, caplog
):
    description = embedder_of("elmo_precomputed", store=store)._layers.description._asdict()
    torch.save({STORE_BUFFER: json_to_tensor({"store": "gone", "description": description})}, tmp_path / "weights.th")
    with caplog.at_level(logging.WARNING, "elmo_plugin"):
        embedder_of(
            "elmo_precomputed", store="gone", options_file="no.json", weight_file="no", serialization_dir=str(tmp_path)
        )
    assert "Only stored sentences can be embedded" in caplog.text
