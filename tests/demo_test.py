import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import PROJECT_ROOT

sys.path.insert(0, str(PROJECT_ROOT / "demo"))

import gather_text  # noqa: E402
import prose  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
import steps  # noqa: E402

MODULE = '''
"""
A module of numbers
===================

It adds the numbers of a list, and it does so for a very long time. See :func:`~mod.add` for what is added.

.. code-block:: python

    The code is not for the reader of this text.

The example shows how it is used by the people::

    This is a literal block that is not for reading.

- The first of the points that are made here.
- The second of the points
  that are made here.

>>> add(1, 2)
The result of the example is not a part of the text.

+-----+-----+
| The | table is not a part of the text. |
"""

def add(x):
    """
    Return the sum of the numbers in the list.

    Parameters
    ----------
    x : list of int
        The numbers that are to be added by the function.
    """

class Adder:
    async def add(self):
        """Return the sum of the numbers in the list. It waits for the end of the list."""
'''


@pytest.fixture
def packages(tmp_path):
    """A small standard library and site-packages; one of the packages is installed."""
    for name, text in {
        "stdlib/mod.py": MODULE,
        "stdlib/broken.py": "def (",
        "stdlib/test/test_mod.py": '"""This is the text of a test and it is not for the reader."""',
        "stdlib/site-packages/other.py": '"""This is the text of another package that is not for the reader."""',
        "stdlib/pydoc_data/topics.py": (
            'topics = {"a": "The topic\\n*********\\n\\nIt is the text of a topic for the reader."}'
        ),
        "site/numpy/guide.md": (
            "# A guide\n\nIt is a [guide](http://a.b) to the *array* for the reader.\n\n"
            "```\nThis is the code of it.\n```\n"
        ),
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return gather_text.find_packages(tmp_path / "stdlib", tmp_path / "site")


def test_the_gatherer_takes_the_prose_of_docstrings_pages_and_documents(packages, tmp_path):
    gather_text.gather(packages, tmp_path / "text", 1000)
    assert (tmp_path / "text" / "python.txt").read_text().split("\n\n") == [
        "It adds the numbers of a list, and it does so for a very long time. See mod.add for what is added.",
        "The first of the points that are made here.",
        "The second of the points that are made here.",
        "Return the sum of the numbers in the list.",
        "The numbers that are to be added by the function.",
        "It waits for the end of the list.",
        "It is the text of a topic for the reader.\n",
    ]
    assert (tmp_path / "text" / "numpy.txt").read_text() == "It is a guide to the array for the reader.\n"


def test_the_gatherer_stops_when_there_are_words_enough(packages, tmp_path):
    assert 20 <= gather_text.gather(packages, tmp_path / "text", 20) < 40
    assert not (tmp_path / "text" / "numpy.txt").exists()


def test_the_gatherer_gives_the_same_bytes_twice(packages, tmp_path):
    for name in ("one", "two"):
        gather_text.gather(packages, tmp_path / name, 1000)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_an_installation_without_prose_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="no prose in .*stdlib"):
        gather_text.gather(gather_text.find_packages(tmp_path / "stdlib", tmp_path), tmp_path / "text", 10)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("It is the end of the long story.", True),
        ("it is the end of the long story.", False),
        ("It is the end of the long story", False),
        ("It is the end.", False),
        ("It is x = 1 at the end of the story.", False),
        ("Mare nostrum navigavimus olim sub caelo claro.", False),
        ("It is 12 of 345 and 6789 in the 1011 to 1213.", False),
    ],
)
def test_prose_is_whole_sentences_of_english_words(text, expected):
    assert prose.is_prose(text) is expected


def commands():
    return [step.command for step in steps.plan(run.UNFINISHED, "python", ["allennlp-elmo"])]


def test_every_step_is_a_command_that_exists():
    from allennlp.commands import Subcommand

    import elmo_plugin  # noqa: F401

    names = {command[1] for command in commands() if command[0] == "allennlp-elmo"}
    assert names == {"elmo-prepare", "train", "evaluate", "elmo-export", "predict"}
    assert names <= set(Subcommand.list_available())
    scripts = [command[1] for command in commands() if command[0] == "python"]
    assert scripts == ["demo/gather_text.py"] and (PROJECT_ROOT / scripts[0]).is_file()


def test_every_config_exists_and_every_override_replaces_what_is_there(monkeypatch):
    from allennlp.common import Params

    monkeypatch.chdir(PROJECT_ROOT)
    trained = [command for command in commands() if command[1] == "train"]
    assert len(trained) == 4
    for command in trained:
        plain = Params.from_file(command[2]).as_flat_dict()
        overrides = json.loads(command[command.index("-o") + 1]) if "-o" in command else {}
        assert set(overrides) <= set(plain)
        assert any(plain[key] != value for key, value in overrides.items()) or not overrides


def test_the_two_taggers_differ_in_elmo_alone(monkeypatch):
    from allennlp.common import Params

    monkeypatch.chdir(PROJECT_ROOT)
    baseline, elmo = (Params.from_file(steps.TAGGER_CONFIGS[name]).as_flat_dict() for name in ("baseline", "elmo"))
    assert {key: value for key, value in elmo.items() if ".elmo." not in key} == baseline


def test_the_sentences_to_tag_are_there():
    lines = (PROJECT_ROOT / steps.SENTENCES).read_text(encoding="utf-8").splitlines()
    assert len(lines) >= 3
    assert all(set(json.loads(line)) == {"sentence"} for line in lines)


def test_a_tagged_sentence_shows_its_names():
    prediction = {
        "sentence": "Ada Lovelace was born in London.",
        "entities": [
            {"type": "PER", "text": "Ada Lovelace", "start": 0, "end": 12},
            {"type": "LOC", "text": "London", "start": 25, "end": 31},
        ],
    }
    assert report.marked(prediction) == "[Ada Lovelace PER] was born in [London LOC]."


def test_the_layer_weights_are_those_that_the_embedder_reports():
    metrics = {"best_validation_elmo/layer_1": 0.5, "best_validation_elmo/gamma": 1.1, "best_validation_f1": 0.7}
    assert report.layer_weights(metrics) == [("gamma", 1.1), ("layer_1", 0.5)]


def test_a_tagger_is_reported_from_the_metrics_that_a_training_writes(tmp_path):
    metrics = {"epoch": 6, "test_f1": 0.5, "best_validation_f1": 0.625, "best_validation_elmo/layer_0": 0.25}
    (tmp_path / "metrics.json").write_text(json.dumps(metrics))
    assert report.tagger(tmp_path) == (
        "F1 0.500 on the test sentences, 0.625 on the development sentences (best of 7 epochs)\n"
        "ELMo's layers: layer_0 0.250"
    )


def test_a_table_is_aligned():
    assert (
        report.table([("a", "long title", "1.0"), ("bcd", "e", "10.0")])
        == "a    long title   1.0\nbcd  e           10.0"
    )
    assert report.times([("one", 59.9), ("two", 61)]).splitlines()[-1].endswith("2:00 min")


# Where tests run in the background, as `nohup` or a script's `&` start them, Ctrl-C is ignored by what they start too.
DEMONSTRATION = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {demo!r})
import run, steps, report
from pathlib import Path
run.ROOT = Path({root!r})
code = {code!r}
run.plan = lambda folder, python, allennlp: [steps.Step("Do it", [python, "-c", code])]
run.report.summary = lambda folder: "the summary"
run.main()
"""


def demonstrate(tmp_path, code):
    script = DEMONSTRATION.format(demo=str(PROJECT_ROOT / "demo"), root=str(tmp_path), code=code)
    return subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


WRITE = "open('runs/demo.unfinished/result', 'w').write('{}')"


def test_a_demonstration_shows_its_commands_and_leaves_its_results(tmp_path):
    for text in ("first", "second"):
        process = demonstrate(tmp_path, WRITE.format(text))
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0
        assert "1. Do it\n$ python -c " in output
        assert "the summary" in output
        assert (tmp_path / "runs" / "demo" / "result").read_text() == text
        assert os.listdir(tmp_path / "runs") == ["demo"]


def test_a_step_that_fails_ends_it_and_the_last_results_stay(tmp_path):
    (tmp_path / "runs" / "demo").mkdir(parents=True)
    process = demonstrate(tmp_path, WRITE.format("half") + "; raise SystemExit(3)")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "Step 1 ended with exit status 3" in errors
    assert os.listdir(tmp_path / "runs") == ["demo"]
    assert os.listdir(tmp_path / "runs" / "demo") == []


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demonstration_leaves_nothing(tmp_path, signal_number):
    process = demonstrate(tmp_path, WRITE.format("half") + "; import time; time.sleep(600)")
    result = tmp_path / "runs" / "demo.unfinished" / "result"
    deadline = time.monotonic() + 120
    while not result.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal_number)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "Interrupted; nothing is left of this run." in errors
    assert os.listdir(tmp_path / "runs") == []
