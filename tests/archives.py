"""Archives of AllenNLP made in a moment, not trained: the fixture biLM as language model, and in an embedder."""

import json
from pathlib import Path

import torch
from allennlp.common import Params
from allennlp.data import Vocabulary
from allennlp.models import Model
from allennlp.models.archival import archive_model

from elmo_plugin.bilm.sidecar import load_sidecar
from elmo_plugin.bilm.weights import load_bilm
from tests.conftest import PROJECT_ROOT

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"


def _archive(folder: Path, model: Model, config: dict) -> str:
    folder.mkdir()
    model.vocab.save_to_files(str(folder / "vocabulary"))
    Params(config).to_file(str(folder / "config.json"))
    torch.save(model.state_dict(), folder / "best.th")
    archive_model(str(folder), weights="best.th")
    return str(folder / "model.tar.gz")


def language_model_archive(folder: Path) -> str:
    """The path of an archive that holds what `fixtures/bilm` does."""
    options = json.loads((FIXTURE / "options.json").read_text())
    config = {
        "dataset_reader": {"type": "elmo_sentences"},
        "vocabulary": {"type": "elmo_word_file", "file": str(FIXTURE / "vocabulary.txt")},
        "model": {"type": "language_model", "options": options},
        "validation_data_path": str(PROJECT_ROOT / "fixtures/corpus/heldout.txt"),
    }
    vocabulary = Vocabulary.from_params(Params(config["vocabulary"].copy()))
    model = Model.from_params(Params({**config["model"], "options": dict(options)}), vocab=vocabulary)
    bilm = load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5")
    model.language_model.bilm.load_state_dict(bilm.state_dict())
    softmax = load_sidecar(FIXTURE / "sidecar.hdf5", bilm.options).softmax
    model.language_model.softmax.load_state_dict(softmax.state_dict())
    return _archive(folder, model, config)


def embedding_model_archive(folder: Path, num_embedders: int = 1) -> str:
    """The path of an archive of a classifier whose words the fixture biLM embeds."""
    embedder = {
        "type": "elmo",
        "options_file": str(FIXTURE / "options.json"),
        "weight_file": str(FIXTURE / "weights.hdf5"),
    }
    config = {
        "dataset_reader": {"type": "text_classification_json", "tokenizer": "whitespace"},
        "model": {
            "type": "basic_classifier",
            "text_field_embedder": {"token_embedders": {f"elmo{i}": dict(embedder) for i in range(num_embedders)}},
            "seq2vec_encoder": {"type": "bag_of_embeddings", "embedding_dim": 32 * num_embedders},
            "num_labels": 2,
        },
    }
    model = Model.from_params(Params(json.loads(json.dumps(config["model"]))), vocab=Vocabulary())
    return _archive(folder, model, config)
