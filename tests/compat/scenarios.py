"""
What a user does that breaks on AllenNLP 2.10.1 as it is, written with AllenNLP alone.

The tests call each scenario in their own process, mended, and read what came of it without the mends from one run of
this file: `python scenarios.py FOLDER` writes `FOLDER/outcomes.json`, by scenario `{"result": …}` or
`{"error": "Type: text"}`.
"""

import io
import json
import pickle
import sys
import tarfile
import tempfile
import warnings
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional
from unittest import mock

import torch
from allennlp.commands.train import train_model
from allennlp.common import Params
from allennlp.data.data_loaders import MultiProcessDataLoader
from allennlp.data.dataset_readers import SequenceTaggingDatasetReader
from allennlp.data.tokenizers import PretrainedTransformerTokenizer
from allennlp.data.vocabulary import Vocabulary
from allennlp.models import archival
from allennlp.nn.parallel.ddp_accelerator import DdpWrappedModel
from allennlp.training.learning_rate_schedulers import ReduceOnPlateauLearningRateScheduler

SENTENCES = [
    "the###D cat###N sat###V",
    "a###D dog###N",
    "cats###N sit###V",
    "the###D dog###N ran###V",
    "it###N ran###V",
]
SPARSE = {"model": {"text_field_embedder": {"token_embedders": {"tokens": {"sparse": True}}}}}


def write_sentences(folder: Path) -> Path:
    path = folder / "tagged.txt"
    path.write_text("".join("\t".join(line.split()) + "\n" for line in SENTENCES), encoding="utf-8")
    return path


def merged(params: Dict[str, Any], changes: Dict[str, Any]) -> Dict[str, Any]:
    params = dict(params)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(params.get(key), dict)
        params[key] = merged(params[key], value) if both else value
    return params


def config(data: Path, changes: Dict[str, Any]) -> Params:
    params = {
        "dataset_reader": {"type": "sequence_tagging"},
        "train_data_path": str(data),
        "validation_data_path": str(data),
        "model": {
            "type": "simple_tagger",
            "text_field_embedder": {"token_embedders": {"tokens": {"type": "embedding", "embedding_dim": 3}}},
            "encoder": {"type": "lstm", "input_size": 3, "hidden_size": 2},
        },
        "data_loader": {"batch_size": 2},
        "trainer": {"num_epochs": 2, "cuda_device": -1, "optimizer": {"type": "sgd", "lr": 0.1}},
    }
    return Params(merged(params, changes))


def train(folder: Path, changes: Optional[Dict[str, Any]] = None) -> Dict[str, Any]:
    """Trains a tagger of a few weights; returns the metrics of its last epoch."""
    train_model(config(write_sentences(folder), changes or {}), str(folder / "run"))
    return metrics_of_epoch(folder / "run", 1)


def metrics_of_epoch(run: Path, epoch: int) -> Dict[str, Any]:
    metrics = json.loads((run / f"metrics_epoch_{epoch}.json").read_text(encoding="utf-8"))
    return {name: metrics[name] for name in ("training_loss", "validation_loss")}


def resume(folder: Path, trainer: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The second epoch's metrics in one go, and when it is done again from the first epoch's checkpoint."""
    trainer = {"checkpointer": {"keep_most_recent_by_count": None}, **trainer}
    in_one_go = train(folder, {"trainer": trainer})
    run = folder / "run"
    for path in [*run.glob("*_state_e2_*.th"), run / "metrics_epoch_1.json"]:
        path.unlink()
    train_model(config(folder / "tagged.txt", {"trainer": trainer}), str(run), recover=True)
    return [in_one_go, metrics_of_epoch(run, 1)]


def reduce_on_plateau(folder: Path) -> List[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.5)
    scheduler = ReduceOnPlateauLearningRateScheduler(optimizer, mode="max", factor=0.1, patience=0)
    rates = []
    for metric in (1.0, 2.0, 2.0):
        scheduler.step(metric)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


def resume_with_the_cosine_scheduler(folder: Path) -> List[Dict[str, Any]]:
    return resume(folder, {"learning_rate_scheduler": {"type": "cosine", "t_initial": 3}})


def resume_with_a_moving_average(folder: Path) -> List[Dict[str, Any]]:
    return resume(folder, {"moving_average": {"type": "exponential", "decay": 0.5}})


def resume_with_gradual_unfreezing(folder: Path) -> List[Dict[str, Any]]:
    groups = [[["^text_field_embedder", "^encoder"], {}], [["^tag_projection_layer"], {}]]
    scheduler = {"type": "slanted_triangular", "gradual_unfreezing": True}
    optimizer = {"type": "sgd", "lr": 0.1, "parameter_groups": groups}
    return resume(folder, {"optimizer": optimizer, "learning_rate_scheduler": scheduler})


def grad_norm_of_sparse_gradients(folder: Path) -> Dict[str, Any]:
    return train(folder, merged(SPARSE, {"trainer": {"grad_norm": 0.01}}))


def grad_clipping_of_sparse_gradients(folder: Path) -> Dict[str, Any]:
    return train(folder, merged(SPARSE, {"trainer": {"grad_clipping": 0.001}}))


def warnings_of_mixed_precision(folder: Path) -> List[str]:
    """What torch says of torch.cuda.amp's deprecation in a training, and when a scaler is made."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(folder)
        DdpWrappedModel(torch.nn.Linear(1, 1), local_rank=0, world_size=1).init_grad_scaler()
    deprecations = {str(warning.message) for warning in caught if issubclass(warning.category, FutureWarning)}
    return sorted(message for message in deprecations if "torch.cuda.amp" in message)


def spawned_loader(folder: Path) -> MultiProcessDataLoader:
    data = write_sentences(folder)
    loader = MultiProcessDataLoader(
        SequenceTaggingDatasetReader(),
        str(data),
        batch_size=2,
        num_workers=1,
        max_instances_in_memory=2,
        start_method="spawn",
        quiet=True,
    )
    loader.index_with(Vocabulary.from_instances(SequenceTaggingDatasetReader().read(str(data))))
    return loader


def spawned_batch_workers(folder: Path) -> List[int]:
    return [len(batch["metadata"]) for batch in spawned_loader(folder)]


def transformer_tokenizer(folder: Path) -> List[str]:
    """A BERT tokenizer of six word pieces, read from a folder, without and with special tokens."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "b", "##c"]
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    (folder / "config.json").write_text('{"model_type": "bert"}', encoding="utf-8")
    plain = PretrainedTransformerTokenizer(str(folder), add_special_tokens=False)
    special = PretrainedTransformerTokenizer(str(folder), add_special_tokens=True)
    return [" ".join(token.text for token in tokenizer.tokenize("a bc")) for tokenizer in (plain, special)]


def extract_a_member_that_climbs_out(folder: Path) -> bool:
    """Whether an archive's member `../escaped` was written beside the folder that the archive was unpacked into."""
    path = folder / "model.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../escaped"), io.BytesIO())
    with mock.patch.object(tempfile, "tempdir", str(folder)):
        with archival.extracted_archive(path):
            return (folder / "escaped").exists()


SCENARIOS: Dict[str, Callable[[Path], Any]] = {
    scenario.__name__: scenario
    for scenario in (
        reduce_on_plateau,
        resume_with_the_cosine_scheduler,
        resume_with_a_moving_average,
        resume_with_gradual_unfreezing,
        grad_norm_of_sparse_gradients,
        grad_clipping_of_sparse_gradients,
        warnings_of_mixed_precision,
        spawned_batch_workers,
        transformer_tokenizer,
        extract_a_member_that_climbs_out,
    )
}


def outcome(scenario: Callable[[Path], Any], folder: Path) -> Dict[str, Any]:
    folder.mkdir()
    try:
        return {"result": scenario(folder)}
    except (AttributeError, RuntimeError, TypeError, pickle.UnpicklingError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main(folder: Path) -> None:
    outcomes = {name: outcome(scenario, folder / name) for name, scenario in SCENARIOS.items()}
    outcomes["plugin_loaded"] = {"result": "elmo_plugin" in sys.modules}
    (folder / "outcomes.json").write_text(json.dumps(outcomes), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
