"""Leaf configurations of the libraries in `training_configs/lib`; values of their fields are given as Jsonnet."""

import json
import re
from pathlib import Path
from typing import Any, Dict, List

import _jsonnet

from tests.conftest import PROJECT_ROOT

CONFIGS = PROJECT_ROOT / "training_configs"
FILES = {"options_file": "fixtures/bilm/options.json", "weight_file": "fixtures/bilm/weights.hdf5"}


def leaf(*libraries: str, **fields: Any) -> str:
    """A configuration of libraries, one over the other, and fields of its own."""
    imports = [f"(import '{CONFIGS / 'lib' / name}.libsonnet')" for name in libraries]
    return " + ".join([*imports, "{" + ", ".join(f"{name}:: {value}" for name, value in fields.items()) + "}"])


def config_of(*libraries: str, **fields: Any) -> Dict[str, Any]:
    """What such a leaf says."""
    return json.loads(_jsonnet.evaluate_snippet("leaf", leaf(*libraries, **fields)))


def leaf_file(folder: Path, library: str, **fields: Any) -> str:
    """The path of such a leaf, to train."""
    path = folder / "leaf.jsonnet"
    path.write_text(leaf(library, **fields), encoding="utf-8")
    return str(path)


def knobs_of(library: str) -> List[str]:
    """The names of a library's knobs."""
    text = (CONFIGS / "lib" / f"{library}.libsonnet").read_text(encoding="utf-8")
    zone = text.split("// ---- Knobs ----")[1].split("// ---- Derived ----")[0]
    return re.findall(r"^  (\w+)::", zone, re.MULTILINE)
