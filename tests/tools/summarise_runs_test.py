import json
import sys

import pytest

from tools import summarise_runs


@pytest.fixture
def runs(tmp_path):
    for seed, f1 in ((1, 0.5), (2, 0.7)):
        (tmp_path / f"run-{seed}").mkdir()
        (tmp_path / f"run-{seed}" / "metrics.json").write_text(json.dumps({"test_f1": f1}))
    return tmp_path


def call(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["summarise_runs", *map(str, arguments)])
    summarise_runs.main()


def test_mean_spread_and_each_run_are_printed(runs, monkeypatch, capsys):
    call(monkeypatch, "--metric", "test_f1", "--scale", "100", f"elmo={runs}/run-*")
    assert "| elmo | 60.00 ± 14.14 (50.00, 70.00) |" in capsys.readouterr().out


@pytest.mark.parametrize(
    "group, message",
    [("elmo={runs}/no-*", "No folder matches"), ("elmo={runs}", "metrics.json is missing"), ("elmo", "expected NAME=GLOB")],
)
def test_what_is_missing_is_named(runs, monkeypatch, group, message):
    with pytest.raises(SystemExit, match=message):
        call(monkeypatch, "--metric", "test_f1", group.format(runs=runs))


def test_an_unknown_metric_is_answered_with_those_there_are(runs, monkeypatch):
    with pytest.raises(SystemExit, match="has no 'test_f2'; it has test_f1"):
        call(monkeypatch, "--metric", "test_f2", f"elmo={runs}/run-*")
