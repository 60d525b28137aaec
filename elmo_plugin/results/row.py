"""A row of the table, as data: a task, its arms, its seeds."""

import json
import os
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import _jsonnet

_KEYS = ("task", "data", "metrics", "arms", "seeds")
_METRIC_KEYS, _OPTIONAL_METRIC_KEYS = ("key", "title"), ("scale",)
_ARM_KEYS, _OPTIONAL_ARM_KEYS = ("name", "config"), ("overrides", "packages")
_SEED_KEYS = ("random_seed", "numpy_seed", "pytorch_seed")


class Metric(NamedTuple):
    """
    key : in AllenNLP's `metrics.json`.
    title : in the table.
    scale : factor on the value, 100 for per cent.
    """

    key: str
    title: str
    scale: float


class Arm(NamedTuple):
    """
    name : `baseline`, say.
    config : a configuration of AllenNLP.
    overrides : of that configuration, as `allennlp train -o` takes them.
    packages : to import besides, as `--include-package` takes them.
    """

    name: str
    config: str
    overrides: Dict[str, Any]
    packages: Tuple[str, ...] = ()


class Row(NamedTuple):
    """
    name : of its file, and of its folder of trainings.
    task, data : what the table calls them.
    metrics : the first one is compared.
    arms : the first one is the baseline.
    seeds : each arm is trained with each.
    """

    name: str
    task: str
    data: str
    metrics: Tuple[Metric, ...]
    arms: Tuple[Arm, ...]
    seeds: Tuple[int, ...]


def read_row(path: str) -> Row:
    """
    A row from a Jsonnet file:

    ```jsonnet
    {
      task: 'names in tweets',
      data: 'WNUT-17',
      metrics: [{ key: 'test_f1', title: 'test F1', scale: 100 }],
      arms: [
        { name: 'baseline', config: 'training_configs/ner_baseline.jsonnet', overrides: { train_data_path: '…' } },
        { name: '+ ELMo', config: 'training_configs/ner_with_elmo.jsonnet', overrides: { train_data_path: '…' } },
      ],
      seeds: [1, 2, 3],
    }
    ```

    As in AllenNLP's own configurations, `std.extVar('DATA')` is the environment's variable `DATA`.

    # Raises

    `ValueError`, naming the file, where it is missing, no Jsonnet, or lacks or has a key that it should not.
    """
    if not Path(path).is_file():
        raise ValueError(f"There is no file {path}. Give the description of a row, as in training_configs/results.")
    try:
        given = json.loads(_jsonnet.evaluate_file(str(path), ext_vars=dict(os.environ)))
    except RuntimeError as error:
        raise ValueError(
            f"{path} can't be evaluated: {error} An undefined external variable is one of the environment, to be set "
            "before the command: DATA=… allennlp elmo-results …."
        ) from error
    _check_keys(path, "the row", given, _KEYS)
    arms = [_arm(path, number, arm) for number, arm in enumerate(given["arms"], 1)]
    if len(arms) < 2 or len({folder_name(arm.name) for arm in arms}) != len(arms):
        raise ValueError(f"{path}: `arms` must be two or more, the baseline first, with names that differ.")
    seeds = given["seeds"]
    if not seeds or len(set(seeds)) != len(seeds) or not all(isinstance(seed, int) for seed in seeds):
        raise ValueError(f"{path}: `seeds` must be one or more different whole numbers, but they are {seeds}.")
    if not given["metrics"]:
        raise ValueError(f"{path}: `metrics` is empty; name at least the one to compare.")
    metrics = []
    for number, metric in enumerate(given["metrics"], 1):
        _check_keys(path, f"metric {number}", metric, _METRIC_KEYS, _OPTIONAL_METRIC_KEYS)
        metrics.append(Metric(metric["key"], metric["title"], float(metric.get("scale", 1.0))))
    return Row(Path(path).stem, given["task"], given["data"], tuple(metrics), tuple(arms), tuple(seeds))


def _arm(path: str, number: int, given: Dict[str, Any]) -> Arm:
    _check_keys(path, f"arm {number}", given, _ARM_KEYS, _OPTIONAL_ARM_KEYS)
    return Arm(given["name"], given["config"], given.get("overrides", {}), tuple(given.get("packages", ())))


def _check_keys(path: str, what: str, given: Any, keys: Tuple[str, ...], optional: Tuple[str, ...] = ()) -> None:
    missing = list(keys) if not isinstance(given, dict) else [key for key in keys if key not in given]
    if missing:
        raise ValueError(f"{path}: {what} lacks {', '.join(missing)}. The file of a row has {', '.join(_KEYS)}.")
    unknown = [key for key in given if key not in (*keys, *optional)]
    if unknown:
        known = ", ".join((*keys, *optional))
        raise ValueError(f"{path}: {what} has {', '.join(unknown)}, but only {known} are known.")


def folder_name(name: str) -> str:
    """An arm's or row's name with nothing in it but letters, digits and hyphens."""
    return "-".join("".join(c if c.isalnum() else " " for c in name).split()).lower()


def overrides_of(arm: Arm, seed: int) -> Dict[str, Any]:
    """What `allennlp train -o` gets for one training."""
    return {**arm.overrides, **{key: seed for key in _SEED_KEYS}}


def command_of(arm: Arm, seed: int, folder: str) -> List[str]:
    """The arguments of `allennlp` for one training."""
    packages = [argument for package in arm.packages for argument in ("--include-package", package)]
    overrides = json.dumps(overrides_of(arm, seed), ensure_ascii=False)
    return ["train", arm.config, "-s", folder, *packages, "-o", overrides]
