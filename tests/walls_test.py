"""
Who may import whom: `bilm` ← adapters ← `commands`, and `corpus` beside `bilm`.

The sources are read, not run, so an import inside a function counts too.
"""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List, Set, Tuple

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "elmo_plugin"
SOURCES = sorted(PACKAGE.rglob("*.py"))


def room(source: Path) -> str:
    """`bilm` for elmo_plugin/bilm/lstm.py, `__main__.py` for a file at the top."""
    return source.relative_to(PACKAGE).parts[0]


def in_room(name: str) -> List[Path]:
    found = [source for source in SOURCES if room(source) == name]
    assert found, f"elmo_plugin/{name} holds no module"
    return found


def tree(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"), str(source))


def imported(source: Path) -> Set[str]:
    """Full names of the modules that a file imports; `from a import b` counts as a and as a.b."""
    package = ("elmo_plugin",) + source.relative_to(PACKAGE).parent.parts
    names: Set[str] = set()
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level > 0 else ()
            module = ".".join(above + ((node.module,) if node.module is not None else ()))
            names.add(module)
            names.update(f"{module}.{alias.name}" for alias in node.names)
    return names


def imports_of(room_name: str) -> Iterator[Tuple[str, str]]:
    """(file, imported module) for every file of a room."""
    for source in in_room(room_name):
        for name in sorted(imported(source)):
            yield str(source.relative_to(PACKAGE)), name


def test_the_biLM_imports_torch_numpy_and_h5py_only():
    allowed = sys.stdlib_module_names | {"torch", "numpy", "h5py"}
    for file, name in imports_of("bilm"):
        within = name == "elmo_plugin" or name.startswith("elmo_plugin.bilm")
        # Comes with torch's builds for GPUs.
        own = {"triton"} if file.endswith("_triton_kernels.py") else set()
        assert within or name.split(".")[0] in allowed | own, f"{file} imports {name}"


def test_the_corpus_room_knows_neither_torch_nor_allennlp_nor_any_other_room():
    for file, name in imports_of("corpus"):
        top = name.split(".")[0]
        assert top not in ("torch", "allennlp", "transformers"), f"{file} imports {name}"
        within = name == "elmo_plugin" or name.startswith("elmo_plugin.corpus")
        assert top != "elmo_plugin" or within, f"{file} imports {name}"


def test_nothing_imports_commands():
    registering = ("commands", "registration.py", "__init__.py")
    for source in SOURCES:
        if room(source) not in registering:
            found = [name for name in imported(source) if name.startswith("elmo_plugin.commands")]
            assert found == [], f"{source.relative_to(PACKAGE)} imports {found}"


def borrowed_names(source: Path) -> Set[str]:
    """The names that a file binds to AllenNLP's modules and to what it imports from them."""
    names: Set[str] = set()
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.Import):
            theirs = [alias for alias in node.names if alias.name.split(".")[0] == "allennlp"]
            names.update(alias.asname or "allennlp" for alias in theirs)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "allennlp":
            names.update(alias.asname or alias.name for alias in node.names)
    return names


def changed(source: Path) -> Iterator[Tuple[int, str]]:
    """(line, name) wherever a file sets an attribute or an item of an object of AllenNLP's."""
    theirs = borrowed_names(source)
    for node in ast.walk(tree(source)):
        targets: List[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        elif isinstance(node, ast.Delete):
            targets = node.targets
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            if node.func.id in ("setattr", "delattr"):
                targets = [ast.Attribute(node.args[0], "attribute", ast.Store())]
        for target in targets:
            if isinstance(target, (ast.Attribute, ast.Subscript)):
                owner: ast.expr = target
                while isinstance(owner, (ast.Attribute, ast.Subscript)):
                    owner = owner.value
                if isinstance(owner, ast.Name) and owner.id in theirs:
                    yield node.lineno, owner.id


@pytest.mark.parametrize(
    "line",
    [
        "allennlp.common.Params.get = None",
        "Params.get = None",
        "setattr(Params, 'get', None)",
        "del Params.get",
        "Registrable._registry[Params] = {}",
        "optimizers.torch.x += 1",
    ],
)
def test_a_change_of_allennlp_is_seen(tmp_path: Path, line: str):
    imports = (
        "import allennlp.common\nfrom allennlp.common import Params, Registrable\n"
        "from allennlp.training import optimizers\nimport torch\n"
    )
    source = tmp_path / "mend.py"
    source.write_text(f"{imports}torch.x = Params.y\nmine = Params.z\n{line}\n", encoding="utf-8")
    assert [number for number, _ in changed(source)] == [7]


def test_only_compat_changes_allennlp():
    for source in SOURCES:
        if room(source) != "compat":
            found = [f"line {number}: {name}" for number, name in changed(source)]
            assert found == [], f"{source.relative_to(PACKAGE)} changes AllenNLP: {found}"


# Imports every module of a room, with some packages hidden as if they were not installed.
IMPORT_ROOM = """
import importlib, importlib.util, pkgutil, sys
from importlib.machinery import PathFinder

room_name, hidden = sys.argv[1], set(sys.argv[2:])

class Finder(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in hidden else super().find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Finder
room = importlib.import_module(room_name)
names = [found.name for found in pkgutil.walk_packages(room.__path__, room_name + ".")]
if importlib.util.find_spec("triton") is None:
    names = [name for name in names if "_triton" not in name]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


@pytest.mark.parametrize(
    "room_name, hidden",
    [
        ("elmo_plugin.bilm", ["allennlp", "transformers", "spacy", "torchvision", "triton"]),
        ("elmo_plugin.corpus", ["allennlp", "transformers", "torch", "torchvision"]),
    ],
)
def test_a_room_imports_where_what_it_must_not_need_is_not_installed(tmp_path, room_name, hidden):
    answer = subprocess.run(
        [sys.executable, "-c", IMPORT_ROOM, room_name, *hidden],
        cwd=tmp_path,
        env={"PYTHONPATH": str(PACKAGE.parent), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) >= 5
