"""
Every command and program of the pages for people who come from elsewhere runs as it stands, in the order of its page.

Fenced blocks of `bash` and `python` are run in a folder with the project's `fixtures` and `training_configs`; those
that begin with the old system's name are for reading. Commands run in this process, for AllenNLP takes seconds to
start.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Iterator, List, Tuple

import pytest
from allennlp.commands import main
from allennlp.common import Params
from allennlp.modules.token_embedders import TokenEmbedder

import elmo_plugin
from tests.checkpoint_files import bilm_tf_arrays, write_checkpoint
from tests.conftest import PROJECT_ROOT
from tests.elmoformanylangs_files import configuration, random_weights, write_model
from tests.oracle_weights import read_weights

DOCS = PROJECT_ROOT / "docs"
PAGES = ["from_allennlp_0.9.md", "from_bilm_tf.md", "from_elmoformanylangs.md", "embedding.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OLD = ("# AllenNLP 0.9", "// AllenNLP 0.9", "# bilm-tf", "# ELMoForManyLangs")
PROGRAM = "allennlp-elmo"


def blocks(page: str) -> List[Tuple[str, str]]:
    """Language and content of the fenced blocks that are not of the old system."""
    found = FENCE.findall((DOCS / page).read_text(encoding="utf-8"))
    return [(language, content) for language, content in found if not content.startswith(OLD)]


def commands(block: str) -> Iterator[str]:
    """The commands of a block of bash, each a string: they may go over lines, within quotes or after a backslash."""
    command = ""
    for line in block.splitlines():
        command += line
        if command.endswith("\\"):
            command = command[:-1]
            continue
        try:
            words = shlex.split(command, comments=True)
        except ValueError:  # A quotation goes on.
            command += "\n"
            continue
        if words:
            yield command
        command = ""
    assert command == "", f"half a command: {command}"


def run_command(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = shlex.split(command)
    if words[0] == PROGRAM:
        monkeypatch.setattr("sys.argv", words)
        main(PROGRAM)
    else:
        subprocess.run(["bash", "-euc", command], check=True)


def write_foreign_models(folder: Path) -> None:
    """What the pages import: a zip of ELMoForManyLangs with a text, and the folder of a training of bilm-tf."""
    config = configuration()
    model = write_model(folder / "english.model", config, random_weights(config))
    with zipfile.ZipFile(folder / "144.zip", "w") as archive:
        for file in model.iterdir():
            archive.write(file, file.name)
    lines = "# text = Sue likes tea\n1\tSue\tSue\t_\n2\tlikes\tlike\t_\n3\ttea\ttea\t_\n\n"
    (folder / "text.conllu").write_text(lines + lines.replace("tea", "coffee"), encoding="utf-8")
    bilm = PROJECT_ROOT / "fixtures" / "bilm"
    softmax = read_weights(bilm / "sidecar.hdf5")
    arrays = bilm_tf_arrays(read_weights(bilm / "weights.hdf5"), (softmax["softmax/W"], softmax["softmax/b"]))
    write_checkpoint(folder / "tf_out" / "model.ckpt-9", arrays)
    shutil.copy(bilm / "options.json", folder / "tf_out" / "options.json")
    shutil.copy(bilm / "vocabulary.txt", folder / "tf_out" / "vocab.txt")


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_tells_one_to_run_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("fixtures", "training_configs"):
        os.symlink(PROJECT_ROOT / name, tmp_path / name)
    write_foreign_models(tmp_path)
    monkeypatch.chdir(tmp_path)
    num_run = 0
    for language, content in blocks(page):
        if language == "bash":
            for command in commands(content):
                run_command(command, monkeypatch)
                num_run += 1
        elif language == "python":
            exec(compile(content, page, "exec"), {})
            num_run += 1
    assert num_run >= 6
    assert list(tmp_path.glob("*.hdf5"))


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is_or_is_of_the_old_system(page: str):
    assert {language for language, _ in blocks(page)} <= {"bash", "python", "jsonnet"}


def test_commands_over_several_lines_are_one():
    assert list(commands("# no\na b \\\n  c\n\ne '{\n f }' g  # h\n")) == ["a b   c", "e '{\n f }' g  # h"]


def test_the_configuration_of_an_embedder_builds(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(PROJECT_ROOT)
    (snippet,) = [content for language, content in blocks(PAGES[0]) if language == "jsonnet"]
    assert elmo_plugin.__file__ is not None
    assert TokenEmbedder.from_params(Params(json.loads(snippet))).get_output_dim() == 32
