"""
Programs that import `allennlp.commands.elmo` run as they are, each in a process of its own.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

from elmo_plugin import ElmoEmbedder, as_allennlp_0_9
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

OPTIONS = str(PROJECT_ROOT / "fixtures" / "bilm" / "options.json")
WEIGHTS = str(PROJECT_ROOT / "fixtures" / "bilm" / "weights.hdf5")
SENTENCES = [["The", "grass", "is", "green", "."], ["Yes"]]
# Ways to import it that old programs have, and a class that holds one.
PROGRAM = """
from typing import Optional

from allennlp.commands.elmo import DEFAULT_BATCH_SIZE, ElmoEmbedder


class Embeddings:
    embedder: Optional[ElmoEmbedder] = None

    def __init__(self, options_file, weight_file):
        import allennlp.commands.elmo

        assert allennlp.commands.elmo.DEFAULT_OPTIONS_FILE.startswith("https://")
        assert allennlp.commands.elmo.DEFAULT_WEIGHT_FILE.endswith(".hdf5") and DEFAULT_BATCH_SIZE == 64
        self.embedder = allennlp.commands.elmo.ElmoEmbedder(
            options_file=options_file, weight_file=weight_file, cuda_device=-1
        )
        assert isinstance(self.embedder, ElmoEmbedder)
"""
MAIN = """
import pickle, sys
import numpy
from elmo_plugin import as_allennlp_0_9

as_allennlp_0_9.install({state})
from old_program import Embeddings

embeddings = pickle.loads(pickle.dumps(Embeddings(*sys.argv[1:3])))
for call in range(2):
    first, second = embeddings.embedder.embed_batch([["The", "grass", "is", "green", "."], ["Yes"]])
    numpy.savez(str(call), first, second)
"""
FETCHING = """
from allennlp.commands.elmo import ElmoEmbedder

try:
    ElmoEmbedder()
except ValueError as error:
    print(error)
"""
# What AllenNLP 0.9's embedder holds, under the name that its class has in a pickle.
PICKLED = """
import pickle, sys
from types import ModuleType
import numpy
import allennlp.commands
from allennlp.data.token_indexers import ELMoTokenCharactersIndexer
from allennlp.modules.elmo import _ElmoBiLm
from elmo_plugin import as_allennlp_0_9

Old = type("ElmoEmbedder", (), {{"__module__": "allennlp.commands.elmo"}})
module = sys.modules["allennlp.commands.elmo"] = ModuleType("allennlp.commands.elmo")
module.ElmoEmbedder = Old
old = Old()
bilm = _ElmoBiLm("options.json", "weights.hdf5")
old.indexer, old.elmo_bilm, old.cuda_device = ELMoTokenCharactersIndexer(), bilm, -1
pickled = pickle.dumps(old)

as_allennlp_0_9.install({state})
embedder = pickle.loads(pickled)
again = pickle.loads(pickle.dumps(embedder))
assert embedder.cuda_device == again.cuda_device == -1
sentence = ["The", "grass", "is", "green", "."]
numpy.savez("found", *[embedder.embed_sentence(sentence) for call in range(2)])
assert type(again) is type(embedder)
"""
HIDDEN = """
import sys
from importlib.machinery import PathFinder

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] == "allennlp" else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
"""


def run(program: str, folder: Path) -> str:
    (folder / "old_program.py").write_text(PROGRAM)
    (folder / "main.py").write_text(program)
    environment = {"PYTHONPATH": f"{folder}:{PROJECT_ROOT}", "PATH": "", "OMP_NUM_THREADS": "1"}
    answer = subprocess.run(
        [sys.executable, "main.py", OPTIONS, WEIGHTS], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


def check_vectors(folder: Path, state: str) -> None:
    embedder = ElmoEmbedder(OPTIONS, WEIGHTS, state=state)
    for call in range(2):
        with numpy.load(folder / f"{call}.npz") as arrays:
            for name, expected in zip(arrays.files, embedder.embed_batch(SENTENCES)):
                assert_close(arrays[name], expected)


@pytest.mark.parametrize("argument, state", [("", "steady"), ("'stateful'", "stateful")])
def test_a_program_runs_as_it_is_with_the_state_that_is_asked_for(argument, state, tmp_path):
    run(MAIN.format(state=argument), tmp_path)
    check_vectors(tmp_path, state)


def test_it_runs_where_allennlp_is_not_installed_and_fetches_nothing_there(tmp_path):
    answer = run(HIDDEN + MAIN.format(state="") + FETCHING, tmp_path)
    check_vectors(tmp_path, "steady")
    assert "weights.hdf5 is a URL, which only AllenNLP fetches, and that is not installed" in answer


def test_another_state_is_refused_and_nothing_is_installed(monkeypatch):
    monkeypatch.delitem(sys.modules, "allennlp.commands.elmo", raising=False)
    with pytest.raises(ValueError, match="`state` must be one of steady, stateful, but it is 'zero'"):
        as_allennlp_0_9.install("zero")
    assert "allennlp.commands.elmo" not in sys.modules


@pytest.mark.parametrize("state", ["steady", "stateful"])
def test_an_embedder_that_allennlp_pickled_becomes_one_of_the_state_that_is_asked_for(state, tmp_path):
    shutil.copy(OPTIONS, tmp_path / "options.json")
    shutil.copy(WEIGHTS, tmp_path / "weights.hdf5")  # A steady state beside it would not be in the pickle.
    run(PICKLED.format(state=repr(state)), tmp_path)
    embedder = ElmoEmbedder(tmp_path / "options.json", tmp_path / "weights.hdf5", state=state)
    with numpy.load(tmp_path / "found.npz") as arrays:
        for name in arrays.files:
            assert_close(arrays[name], embedder.embed_sentence(SENTENCES[0]))
