import json
import shlex

import pytest
from allennlp.commands import Subcommand, parse_args
from allennlp.common.checks import ConfigurationError

from elmo_plugin.commands import elmo_merge
from elmo_plugin.commands.elmo_merge import ElmoMerge
from elmo_plugin.corpus.joining import merge_corpora
from elmo_plugin.corpus.prepared import PreparedCorpus
from elmo_plugin.corpus.processes import usable_cores

FIRST = "".join(f"The cat sat on mat {i}. It liked the mat.\n\n" for i in range(20))
SECOND = "".join(f"The dog sat on the mat {i}.\n\n" for i in range(20))


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs subcommands in a folder with two prepared corpora."""
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments):
        monkeypatch.setattr("sys.argv", ["allennlp", *arguments])
        _, args = parse_args("allennlp")
        args.func(args)

    for name, text in (("first", FIRST), ("second", SECOND)):
        (tmp_path / f"{name}.txt").write_text(text)
        run_command("elmo-prepare", f"{name}.txt", name, "--processes", "1")
    return run_command


def described(tmp_path, name="out"):
    return PreparedCorpus.open(tmp_path / name).description


def test_it_ends_with_the_counts_and_the_command_that_trains(run, tmp_path, capsys):
    capsys.readouterr()
    run("elmo-merge", "first", "second", "out")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("60 sentences, 400 tokens")
    command = shlex.split(lines[-1])
    assert command[:3] == ["allennlp-elmo", "train", "training_configs/bilm_tiny.jsonnet"]
    assert json.loads(command[-1])["vocabulary.file"] == str(tmp_path / "out" / "vocabulary.txt")
    assert [part["name"] for part in described(tmp_path)["parts"]] == ["first", "second"]


def test_vocabularies_end_with_the_entry_of_the_configuration(run, tmp_path, capsys):
    run("elmo-prepare", "first.txt", "words", "--vocabulary-only")
    run("elmo-merge", "words", "out")
    entry = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert entry == {"type": "elmo_word_file", "file": str(tmp_path / "out" / "vocabulary.txt")}


@pytest.mark.parametrize(
    "flag, setting",
    [
        (["--min-count", "1"], {"min_count": 1}),
        (["--max-size", "6"], {"max_size": 6}),
        (["--max-characters", "4"], {"max_characters": 4}),
    ],
)
def test_every_flag_reaches_its_setting_and_changes_the_result(run, tmp_path, flag, setting):
    run("elmo-merge", "first", "second", "plain")
    run("elmo-merge", "first", "second", "out", *flag)
    plain, changed = described(tmp_path, "plain"), described(tmp_path)
    assert changed["settings"] == {**plain["settings"], **setting}
    assert {**changed, "settings": None} != {**plain, "settings": None}


def test_processes_reach_the_merging_and_change_nothing(run, tmp_path, monkeypatch):
    used = []

    def merge(*arguments):
        used.append(arguments[3].processes)
        return merge_corpora(*arguments)

    monkeypatch.setattr(elmo_merge, "merge_corpora", merge)
    run("elmo-merge", "first", "second", "two", "--processes", "2")
    run("elmo-merge", "first", "second", "all")
    assert used == [2, usable_cores()]
    assert described(tmp_path, "two") == described(tmp_path, "all")


def test_an_existing_output_needs_force(run, tmp_path):
    run("elmo-merge", "first", "out")
    with pytest.raises(ConfigurationError, match="out: already exists. Use --force"):
        run("elmo-merge", "first", "second", "out")
    run("elmo-merge", "first", "second", "out", "--force")
    assert described(tmp_path)["sentences"] == 60


def test_a_full_disk_is_an_error(run, monkeypatch):
    def fill(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(elmo_merge, "merge_corpora", fill)
    with pytest.raises(ConfigurationError, match="No space left on device, with .* GB free on the disk of out. Noth"):
        run("elmo-merge", "first", "out")


def test_the_command_is_registered_under_its_name():
    assert Subcommand.by_name("elmo-merge") is ElmoMerge
