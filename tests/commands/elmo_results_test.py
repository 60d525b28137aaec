import json
import sys

import pytest
from allennlp.commands import main
from allennlp.common.checks import ConfigurationError

from tests.results.rows import PROGRAM, ROW, calls


@pytest.fixture
def call(tmp_path, monkeypatch):
    """`elmo-results` with a stand-in for `allennlp`."""
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "row.jsonnet").write_text(json.dumps(ROW))
    program = [sys.executable, str(tmp_path / "program.py")]
    monkeypatch.setattr("elmo_plugin.commands.elmo_results.allennlp_program", lambda: program)

    def run(*arguments):
        row, runs = str(tmp_path / "row.jsonnet"), str(tmp_path / "runs")
        monkeypatch.setattr("sys.argv", ["allennlp", "elmo-results", row, "--runs", runs, *arguments])
        main()

    return run


def test_the_table_is_made_and_set_into_the_page(call, tmp_path, capsys):
    call("--page", str(tmp_path / "page.md"))
    assert len(calls(tmp_path / "runs")) == 4
    summary = json.loads((tmp_path / "runs/row/summary.json").read_text())
    assert [arm["metrics"]["f1"]["mean"] for arm in summary["arms"]] == pytest.approx([51.5, 51.5])
    assert summary["machines"][0]["versions"]["torch"] and summary["machines"][0]["trainings"] == 4
    page = (tmp_path / "page.md").read_text()
    assert "| + ELMo | 51.50 ± 0.71 (51.00, 52.00) | +0.00 ± 0.00 |" in page
    assert (tmp_path / "pictures/row.png").is_file() == ("![" in page)
    assert "4 trainings, 0 of them done." in capsys.readouterr().out
    call()
    assert len(calls(tmp_path / "runs")) == 4
    assert "4 trainings, 4 of them done." in capsys.readouterr().out


def test_a_row_can_be_summed_up_before_all_seeds_are_done(call, tmp_path):
    call()
    (tmp_path / "runs/row/elmo-2/metrics.json").unlink()
    call("--summarise-only")
    summary = json.loads((tmp_path / "runs/row/summary.json").read_text())
    assert [arm["seeds"] for arm in summary["arms"]] == [[1], [1]]
    assert len(calls(tmp_path / "runs")) == 4


def test_several_trainings_run_at_once(call, tmp_path):
    (tmp_path / "runs/row").mkdir(parents=True)
    (tmp_path / "runs/row/together").write_text("4")
    call("--processes", "4")
    text = (tmp_path / "runs/row/summary.md").read_text()
    assert "4 trainings at once" in text
    with pytest.raises(ConfigurationError, match="--processes must be 1 or more, but it is 0"):
        call("--processes", "0")


def test_other_settings_are_refused_before_anything_is_trained(call, tmp_path):
    call()
    arms = [{**arm, "overrides": {"y": 3}} for arm in ROW["arms"]]
    (tmp_path / "row.jsonnet").write_text(json.dumps({**ROW, "arms": arms}))
    with pytest.raises(Exception, match="other settings"):
        call()
    assert len(calls(tmp_path / "runs")) == 4
