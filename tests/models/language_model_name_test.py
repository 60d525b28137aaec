"""`language_model` is our model's name also where `allennlp_models`, which has one of that name, is installed."""

import os
import subprocess
import sys
from pathlib import Path

# As AllenNLP 2.10's `allennlp_models` has it: the package's `lm` imports what registers the name, with no leave to
# replace or be replaced.
THEIR_MODEL = """
from allennlp.models import Model

@Model.register("language_model")
class LanguageModel(Model):
    pass
"""
# Every way in goes on in a fork of one process that has imported AllenNLP, which takes seconds.
WAYS_IN = """
import os, sys
from allennlp.common.plugins import import_plugins
from allennlp.common.util import import_module_and_submodules
import allennlp.commands

def as_a_module():
    import elmo_plugin
    import_plugins()

def by_the_plugins_file():
    with open(".allennlp_plugins", "w") as file:
        file.write("elmo_plugin\\n")
    import_plugins()
    os.remove(".allennlp_plugins")

def by_include_package():
    import_plugins()
    import_module_and_submodules("elmo_plugin")

def as_a_library_before_theirs():
    import elmo_plugin
    import_module_and_submodules("allennlp_models")

def as_a_library_after_theirs():
    import_module_and_submodules("allennlp_models")
    import elmo_plugin

for argument in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        folder, way_in = argument.split(":")
        sys.path.append(folder)
        globals()[way_in]()
        from allennlp.models import Model
        modules = [Model.by_name(name).__module__ for name in ("language_model", "elmo_language_model")]
        print("found", argument, *modules, "allennlp_models" in sys.modules, flush=True)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, argument
"""


def write_their_package(folder: Path, lm: str) -> None:
    for name, content in {
        "__init__.py": "",
        "lm/__init__.py": lm,
        "lm/models/__init__.py": "from allennlp_models.lm.models.language_model import LanguageModel",
        "lm/models/language_model.py": THEIR_MODEL,
    }.items():
        path = folder / "allennlp_models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


COMMAND_LINE = ["as_a_module", "by_the_plugins_file", "by_include_package"]
LIBRARY = ["as_a_library_before_theirs", "as_a_library_after_theirs"]


def test_our_model_takes_the_name_in_whatever_order_packages_are_imported(project_root, tmp_path):
    write_their_package(tmp_path / "whole", "from allennlp_models.lm.models import *")
    # AllenNLP's command line goes on where a part of that package is missing, and so do we.
    write_their_package(tmp_path / "broken", "import a_module_that_is_not_installed")
    ways_in = [f"whole:{way_in}" for way_in in LIBRARY + COMMAND_LINE] + [f"broken:{way_in}" for way_in in COMMAND_LINE]
    environment = {"PYTHONPATH": str(project_root), "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "-c", WAYS_IN, *ways_in],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    ours = "elmo_plugin.models.language_model"
    lines = [line for line in answer.stdout.splitlines() if line.startswith("found")]
    assert lines == [f"found {way_in} {ours} {ours} True" for way_in in ways_in]
