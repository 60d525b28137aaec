import signal
import subprocess

import pytest

from elmo_plugin.corpus.processes import usable_cores
from elmo_plugin.results import running
from elmo_plugin.results.row import read_row
from elmo_plugin.results.running import last_error, run
from elmo_plugin.results.trainings import checked_record, outcome_of, trainings_of
from tests.results.rows import ROW, calls


@pytest.fixture
def runs(tmp_path):
    (tmp_path / "runs/row").mkdir(parents=True)
    return tmp_path / "runs"


@pytest.fixture
def trainings(row_file, runs):
    return trainings_of(read_row(row_file(ROW)), runs)


def test_each_training_is_done_once(trainings, program, runs):
    shown, done = [], []
    for _ in range(2):
        run(trainings, program, shown.append, done=done.append)
    assert [(call[1], call[3].rpartition("/")[2]) for call in calls(runs)] == [
        ("a.jsonnet", "baseline-1"),
        ("b.jsonnet", "elmo-1"),
        ("a.jsonnet", "baseline-2"),
        ("b.jsonnet", "elmo-2"),
    ]
    assert len(shown) == 4 and "train b.jsonnet" in shown[1]
    assert done == trainings
    outcome = outcome_of(trainings[0])
    assert outcome.metrics["f1"] == 0.51 and outcome.seconds > 0
    assert outcome.machine["cores"] >= 1 and outcome.machine["at_once"] == 1


def test_trainings_side_by_side_share_the_cores(trainings, program, runs, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    (runs / "row/together").write_text("2")
    run(trainings[:2], program, print, at_once=2)
    share = max(1, usable_cores() // 2)
    assert [(runs / f"row/threads of {name}-1").read_text() for name in ("baseline", "elmo")] == [str(share)] * 2
    machine = outcome_of(trainings[0]).machine
    assert (machine["threads"], machine["at_once"]) == (share, 2)


def test_threads_stay_as_they_were_set_and_one_training_takes_what_torch_takes(trainings, program, runs, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    run(trainings[:1], program, print)
    assert (runs / "row/threads of baseline-1").read_text() == "all"
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    run(trainings[:2], program, print, at_once=3)
    assert (runs / "row/threads of elmo-1").read_text() == "7"
    assert outcome_of(trainings[1]).machine["threads"] == 7


def test_a_training_that_failed_says_why_and_goes_on_from_its_checkpoint(trainings, program, runs):
    training = trainings[0]
    (runs / "row/fail").touch()
    message = "baseline-1 failed with exit status 3: tools.DiskError: the disk is full\n  Its output .*/baseline-1.log"
    with pytest.raises(ValueError, match=message):
        run([training], program, print)
    assert "the disk is full" in training.log().read_text()
    seconds = checked_record(training)["seconds"]
    (runs / "row/fail").unlink()
    run([training], program, print)
    assert "--recover" not in calls(runs)[0] and calls(runs)[1][-1] == "--recover"
    assert outcome_of(training).seconds > seconds > 0


def test_those_beside_one_that_failed_come_to_their_end_and_no_other_begins(trainings, program, runs):
    (runs / "row/fail").touch()
    (runs / "row/together").write_text("2")
    done = []
    with pytest.raises(ValueError, match="baseline-1 failed with exit status 3"):
        run(trainings, program, print, at_once=2, done=done.append)
    # Which of the two ends first decides whether a third had begun.
    assert trainings[1] in done and trainings[1].is_done()
    assert not trainings[0].is_done() and len(calls(runs)) in (2, 3)


def test_whatever_ends_it_ends_what_runs(trainings, program, runs, monkeypatch):
    started = []

    def start(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    def interrupt(line):
        if len(started) == 2:
            raise KeyboardInterrupt

    popen = subprocess.Popen
    monkeypatch.setattr(running.subprocess, "Popen", start)
    (runs / "row/together").write_text("99")
    with pytest.raises(KeyboardInterrupt):
        run(trainings, program, interrupt, at_once=2)
    assert len(started) == 2 and all(process.returncode is not None for process in started)
    assert not trainings[0].is_done() and checked_record(trainings[0])["seconds"] > 0


def test_asked_a_second_time_to_end_it_kills_what_runs(trainings, program, runs, monkeypatch):
    started = []

    def start(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    def interrupt(*_):
        raise KeyboardInterrupt

    popen = subprocess.Popen
    monkeypatch.setattr(running.subprocess, "Popen", start)
    monkeypatch.setattr(running.Attempt, "ask_to_stop", lambda attempt: None)
    monkeypatch.setattr(running.Attempt, "stop", interrupt)
    (runs / "row/together").write_text("99")
    with pytest.raises(KeyboardInterrupt):
        run(trainings[:1], program, interrupt)
    assert [process.wait(300) for process in started] == [-signal.SIGKILL]


def test_a_training_that_left_no_checkpoint_begins_anew(trainings, program, runs):
    trainings[0].folder.mkdir()
    run(trainings[:1], program, print)
    assert calls(runs)[0][-1] == "--force"


def test_a_training_of_other_settings_is_no_result_of_this_row(row_file, trainings, program, runs):
    run(trainings[1:2], program, print)
    arms = [ROW["arms"][0], {**ROW["arms"][1], "overrides": {"x": 2}}]
    with pytest.raises(ValueError, match="elmo-1 holds a training with other settings"):
        run(trainings_of(read_row(row_file({**ROW, "arms": arms})), runs), program, print)


@pytest.mark.parametrize(
    "text, found",
    [
        ("Traceback:\n  File 1\nRuntimeError: a\nValueError: b\n\n", "ValueError: b"),
        ("10%|#\r20%|##\nallennlp.common.ConfigurationError: x\nsaved\n", "allennlp.common.ConfigurationError: x"),
        ("python -m elmo_plugin: error: no a\n(ALLENNLP_DEBUG=1 shows where)\n", "python -m elmo_plugin: error: no a"),
        ("2026 - INFO - Error counts are fine\nKilled\n", "Killed"),
        ("", "it said nothing."),
    ],
)
def test_the_last_line_that_names_an_error_is_found(tmp_path, text, found):
    (tmp_path / "log").write_text("OldError: of the attempt before\n" + text)
    assert last_error(tmp_path / "log", begin=len("OldError: of the attempt before\n")) == found
