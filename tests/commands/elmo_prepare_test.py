import json
import os
import shlex
import threading
from pathlib import Path

import pytest
from allennlp.commands import Subcommand, parse_args
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

from elmo_plugin.commands import elmo_prepare
from elmo_plugin.commands.corpus_commands import MAX_SAMPLES, train_command
from elmo_plugin.commands.elmo_prepare import ElmoPrepare
from elmo_plugin.corpus.prepare import prepare_corpus
from elmo_plugin.corpus.prepared import PreparedCorpus
from elmo_plugin.corpus.processes import usable_cores
from elmo_plugin.corpus.settings import Settings
from elmo_plugin.corpus.work import Work
from tests.conftest import PROJECT_ROOT

TEXT = "".join(f"The cat sat on mat {i}. It liked the mat.\n\n" for i in range(40))


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text(TEXT)

    def run_command(*arguments):
        monkeypatch.setattr("sys.argv", ["allennlp", "elmo-prepare", *arguments])
        _, args = parse_args("allennlp")
        args.func(args)

    return run_command


def described(tmp_path, name="out"):
    return PreparedCorpus.open(tmp_path / name).description


def test_the_defaults_of_the_command_are_those_of_the_settings(run, tmp_path):
    run("text.txt", "out")
    assert described(tmp_path)["settings"] == Settings().to_dict()
    assert described(tmp_path)["sentences"] == 80


@pytest.mark.parametrize(
    "flag, setting",
    [
        (["--language", "de"], {"language": "de"}),
        (["--segmenter", "characters"], {"segmenter": "characters"}),
        (["--presplit"], {"presplit": True}),
        (["--paragraphs", "line"], {"paragraphs": "line"}),
        (["--held-out", "0.25"], {"held_out": 0.25}),
        (["--shards", "2"], {"shards": 2}),
        (["--min-count", "1"], {"min_count": 1}),
        (["--max-size", "6"], {"max_size": 6}),
        (["--max-characters", "4"], {"max_characters": 4}),
        (["--seed", "5"], {"seed": 5}),
        (["--normal-form", "NFKC"], {"normal_form": "NFKC"}),
        (["--segmenter", "spacy", "--language", "fr"], {"language": "fr"}),
    ],
)
def test_every_flag_reaches_its_setting_and_changes_the_result(run, tmp_path, flag, setting):
    (tmp_path / "text.txt").write_text("Wrapped text z.B.\nof two lines ﬁt p.ex. l'eau. " + TEXT)
    run("text.txt", "plain")
    run("text.txt", "out", *flag)
    plain, changed = described(tmp_path, "plain"), described(tmp_path)
    assert changed["settings"] == {**plain["settings"], **setting}
    assert {**changed, "settings": None} != {**plain, "settings": None}


def test_strict_stops_where_the_text_is_not_utf_8(run, tmp_path, capsys):
    (tmp_path / "text.txt").write_bytes(TEXT.encode() + b"\n\xff\n")
    run("text.txt", "out")
    assert described(tmp_path)["oddities"]["undecodable_lines"] == 1
    capsys.readouterr()
    with pytest.raises(ConfigurationError, match="text.txt:82: byte .* is not UTF-8"):
        run("text.txt", "strict", "--strict")
    assert capsys.readouterr().err.endswith("\n")
    assert not (tmp_path / "strict").exists()


def test_an_existing_output_needs_force(run, tmp_path):
    run("text.txt", "out")
    with pytest.raises(ConfigurationError, match="out: already exists. Use --force"):
        run("text.txt", "out")
    run("text.txt", "out", "--force", "--seed", "1")
    assert described(tmp_path)["settings"]["seed"] == 1


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_the_root_of_all_directories_is_refused(run, force):
    with pytest.raises(ConfigurationError, match="^/: (already exists|is where a disk is mounted)"):
        run("text.txt", "/", *force)


def test_json_lines_are_read_by_their_field(run, tmp_path):
    (tmp_path / "text.jsonl").write_text('{"body": "The cat sat. It slept."}\n{"body": "The cat sat on the mat."}\n')
    run("text.jsonl", "out", "--json-field", "body", "--min-count", "1")
    assert described(tmp_path)["sentences"] == 3


def test_id_lines_are_read_by_their_vocabulary(run, tmp_path):
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    (tmp_path / "ids.txt").write_text("0 1;0 0;0 1;0\n1 1;0 0;0 1;0\n")
    run("ids.txt", "out", "--id-vocabulary", "vocab.txt", "--min-count", "1")
    assert (described(tmp_path)["tokens"], described(tmp_path)["settings"]["presplit"]) == (4, True)


def test_chinese_is_segmented_by_jieba_unless_told_otherwise(run, tmp_path):
    (tmp_path / "text.txt").write_text("他来到北京大学。\n我们在北京大学。\n", encoding="utf-8")
    run("text.txt", "out", "--language", "zh", "--segmenter", "characters", "--min-count", "1")
    assert described(tmp_path)["tokens"] == 16
    pytest.importorskip("jieba", reason="jieba is not installed")
    run("text.txt", "words", "--language", "zh", "--min-count", "1")
    assert described(tmp_path, "words")["settings"]["segmenter"] == "jieba"
    assert described(tmp_path, "words")["tokens"] == 8


def test_processes_reach_the_preparation_and_change_nothing(run, tmp_path, monkeypatch):
    used = []

    def prepare(*arguments):
        used.append(arguments[3].processes)
        return prepare_corpus(*arguments)

    monkeypatch.setattr(elmo_prepare, "prepare_corpus", prepare)
    run("text.txt", "one", "--processes", "1")
    run("text.txt", "two", "--processes", "2")
    run("text.txt", "all")
    assert used == [1, 2, usable_cores()]
    assert described(tmp_path, "one") == described(tmp_path, "two") == described(tmp_path, "all")


def test_the_engine_reaches_the_preparation(run, monkeypatch):
    used = []

    def prepare(*arguments):
        used.append(arguments[3])
        return prepare_corpus(*arguments[:3], Work())

    monkeypatch.setattr(elmo_prepare, "prepare_corpus", prepare)
    run("text.txt", "one")
    run("text.txt", "two", "--engine", "ray", "--processes", "3")
    run("text.txt", "three", "--engine", "ray", "--ray-address", "host:1")
    assert [(work.engine, work.ray_address) for work in used] == [("processes", None), ("ray", None), ("ray", "host:1")]
    assert used[1].processes == 3


def test_processes_of_a_running_cluster_are_its_own(run):
    with pytest.raises(ConfigurationError, match="processes: a running Ray cluster has its own.*leave --processes out"):
        run("text.txt", "out", "--engine", "ray", "--ray-address", "auto", "--processes", "2")


def test_an_address_without_the_engine_is_refused(run):
    with pytest.raises(ConfigurationError, match="ray_address: matters for the engine ray only"):
        run("text.txt", "out", "--ray-address", "auto")


def test_the_vocabulary_alone_ends_with_the_entry_of_the_configuration(run, tmp_path, capsys):
    run("text.txt", "out", "--vocabulary-only")
    entry = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert entry == {"type": "elmo_word_file", "file": str(tmp_path / "out" / "vocabulary.txt")}
    assert (tmp_path / "out" / "vocabulary.txt").is_file() and not (tmp_path / "out" / "train").exists()


def test_an_interrupted_command_says_how_to_go_on(run, tmp_path, monkeypatch, caplog):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(elmo_prepare, "prepare_corpus", interrupt)
    with pytest.raises(KeyboardInterrupt):
        run("text.txt", "out")
    assert "The same command goes on from here; to start anew, remove" in caplog.text
    assert str(tmp_path / ".out.unfinished") in caplog.text


def test_a_full_disk_is_an_error_that_says_how_to_go_on(run, tmp_path, monkeypatch):
    def fill(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(elmo_prepare, "prepare_corpus", fill)
    with pytest.raises(ConfigurationError, match="No space left on device, with .* GB free on the disk of out. The "):
        run("text.txt", "out")


def test_progress_is_shown_with_time_left(run, capsys):
    run("text.txt", "out")
    shown = capsys.readouterr().err
    assert all(f"{stage}: 100%" in shown for stage in ("reading", "merging", "writing", "hashing"))
    assert "2/2" in shown


def test_several_inputs_are_read_in_order(run, tmp_path):
    (tmp_path / "more.txt").write_text("More text.")
    run("more.txt", "text.txt", "out")
    assert [entry["name"] for entry in described(tmp_path)["inputs"]] == ["more.txt", "text.txt"]


def test_it_ends_with_the_counts_and_the_command_that_trains(run, tmp_path, capsys):
    (tmp_path / "text.txt").write_bytes(b"\xff\n" + TEXT.encode())
    (tmp_path / "training_configs").mkdir()
    run("text.txt", "my out")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("80 sentences, 480 tokens")
    assert "undecodable lines: 1" in lines[-3]
    command = shlex.split(lines[-1])
    assert command[:3] == ["allennlp-elmo", "train", "training_configs/bilm_tiny.jsonnet"]
    assert json.loads(command[command.index("-o") + 1]) == {
        "train_data_path": "my out/train",
        "validation_data_path": "my out/heldout",
        "vocabulary.file": "my out/vocabulary.txt",
        "model.num_samples": None,
    }


def test_elsewhere_than_in_the_projects_root_the_command_names_whole_paths(run, tmp_path, capsys):
    run("text.txt", "out")
    command = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert command[command.index("-s") + 1] == f"{tmp_path}/out-bilm"
    overrides = json.loads(command[-1])
    assert overrides.pop("model.num_samples") is None
    assert all(Path(path).is_absolute() and Path(path).exists() for path in overrides.values())


def test_without_held_out_text_the_command_validates_on_none(run, tmp_path, capsys):
    run("text.txt", "out", "--held-out", "0")
    overrides = json.loads(shlex.split(capsys.readouterr().out.splitlines()[-1])[-1])
    assert overrides["validation_data_path"] is None


@pytest.mark.parametrize(
    "num_tokens, size", [(10**6, "tiny"), (10**7, "small"), (2 * 10**8, "medium"), (10**9, "original")]
)
def test_the_command_that_trains_fits_the_corpus(run, tmp_path, num_tokens, size):
    run("text.txt", "out", "--max-characters", "30")
    corpus = {**described(tmp_path), "tokens": num_tokens, "vocabulary_size": 100_000}
    command = shlex.split(train_command(Path("out"), corpus))
    plain = Params.from_file(PROJECT_ROOT / command[2]).as_flat_dict()
    assert command[2] == f"training_configs/bilm_{size}.jsonnet"
    overrides = json.loads(command[-1])
    assert set(overrides) <= set(plain)
    assert "model.num_samples" not in overrides
    assert [overrides[key] for key in overrides if "max_characters" in key] == [30, 30, 30]
    assert plain["model.num_samples"] is None or plain["model.num_samples"] <= MAX_SAMPLES


def test_a_pipe_is_read_like_a_file(run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=(tmp_path / "pipe").write_text, args=(TEXT,))
    writer.start()
    run("pipe", "out")
    writer.join()
    run("text.txt", "of the file")
    assert described(tmp_path)["sha256"] == described(tmp_path, "of the file")["sha256"]


def test_a_missing_input_is_an_error_of_the_configuration(run):
    with pytest.raises(ConfigurationError, match="absent: no such file or directory"):
        run("absent", "out")


def test_the_command_is_registered_under_its_name():
    assert Subcommand.by_name("elmo-prepare") is ElmoPrepare
