import json
from pathlib import Path

import pytest

from elmo_plugin.results.machines import gathered, this_machine
from elmo_plugin.results.page import draw, section, set_into
from elmo_plugin.results.row import (
    Arm,
    Metric,
    command_of,
    folder_name,
    overrides_of,
    read_row,
)
from elmo_plugin.results.summary import as_json, paired_p_value, spread_of, summarise
from elmo_plugin.results.trainings import Outcome
from tests.results.rows import ROW


def test_a_row_is_read_with_its_arms_metrics_and_seeds(row_file):
    row = read_row(row_file(ROW))
    assert (row.name, row.task, row.data, row.seeds) == ("row", "names", "some", (1, 2))
    assert row.metrics == (Metric("f1", "F1", 100.0),)
    assert row.arms == (Arm("baseline", "a.jsonnet", {}), Arm("+ ELMo", "b.jsonnet", {"x": 1}))
    assert overrides_of(row.arms[1], 2) == {"x": 1, "random_seed": 2, "numpy_seed": 2, "pytorch_seed": 2}


def test_an_arm_may_need_a_package_of_its_own(row_file):
    arms = [ROW["arms"][0], {**ROW["arms"][1], "packages": ["a.b", "c"]}]
    baseline, other = read_row(row_file({**ROW, "arms": arms})).arms
    packages = "--include-package a.b --include-package c".split()
    assert command_of(other, 1, "out")[:8] == ["train", "b.jsonnet", "-s", "out", *packages]
    assert "--include-package" not in command_of(baseline, 1, "out")


def test_a_row_may_use_variables_of_the_environment(row_file, monkeypatch):
    content = json.dumps(ROW).replace('"some"', "std.extVar('ELMO_TEST_DATA')")
    with pytest.raises(ValueError, match="(?s)row.jsonnet can't be evaluated.*ELMO_TEST_DATA.*to be set before"):
        read_row(row_file(content))
    monkeypatch.setenv("ELMO_TEST_DATA", "there")
    assert read_row(row_file(content)).data == "there"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"arms": ROW["arms"][:1]}, "`arms` must be two or more"),
        ({"arms": [ROW["arms"][0]] * 2}, "names that differ"),
        ({"arms": [{"name": "a"}, ROW["arms"][0]]}, "arm 1 lacks config"),
        ({"metrics": []}, "`metrics` is empty"),
        ({"metrics": [{"key": "f1"}]}, "metric 1 lacks title"),
        ({"arms": [ROW["arms"][0], {**ROW["arms"][1], "override": {}}]}, "arm 2 has override, but only name, conf"),
        ({"metrics": [{**ROW["metrics"][0], "scales": 1}]}, "metric 1 has scales, but only key, title, scale"),
        ({"seed": [1]}, "the row has seed, but only task, data"),
        ({"seeds": []}, "`seeds` must be one or more"),
        ({"seeds": [1, 1]}, "different whole numbers"),
    ],
)
def test_a_row_that_makes_no_sense_is_refused(row_file, change, message):
    with pytest.raises(ValueError, match=message):
        read_row(row_file({**ROW, **change}))


def test_a_missing_file_and_a_missing_key_are_named(row_file):
    with pytest.raises(ValueError, match="no file absent.jsonnet"):
        read_row("absent.jsonnet")
    with pytest.raises(ValueError, match="the row lacks task, seeds"):
        read_row(row_file({key: value for key, value in ROW.items() if key not in ("task", "seeds")}))


def outcomes_of(values):
    return {
        (name, seed): Outcome({"f1": value, "best_validation_elmo/layer_0": 0.25}, 60.0 * seed, this_machine())
        for name, of_arm in values.items()
        for seed, value in of_arm.items()
    }


def test_means_spreads_gains_and_significance_are_over_the_seeds_that_all_arms_have(row_file):
    row = read_row(row_file({**ROW, "seeds": [1, 2, 3, 4]}))
    outcomes = outcomes_of({"baseline": {1: 0.5, 2: 0.6, 3: 0.7}, "+ ELMo": {1: 0.6, 2: 0.75, 3: 0.75, 4: 0.1}})
    baseline, elmo = summarise(row, outcomes)
    assert baseline.seeds == elmo.seeds == [1, 2, 3]
    assert baseline.metrics["f1"].mean == pytest.approx(60) and baseline.metrics["f1"].deviation == pytest.approx(10)
    assert baseline.gain is None and baseline.p_value is None
    assert elmo.gain.values == pytest.approx([10, 15, 5]) and elmo.gain.mean == pytest.approx(10)
    # t = 10 / (5 / sqrt(3)) = 3.464 with two degrees of freedom: p = 1 - t / sqrt(t² + 2).
    assert elmo.p_value == pytest.approx(1 - 3.4641 / (3.4641**2 + 2) ** 0.5, abs=1e-4)
    assert elmo.mix["elmo/layer_0"].mean == 0.25 and elmo.seconds.mean == 120
    assert json.loads(json.dumps(as_json([baseline, elmo])))[1]["gain"]["mean"] == pytest.approx(10)


def test_one_seed_has_no_spread_and_no_significance():
    assert spread_of([3.0]).deviation is None
    assert paired_p_value([2.0], [1.0]) is None
    assert paired_p_value([2.0, 3.0], [1.0, 2.0]) is None


def test_what_can_not_be_summed_up_says_why(row_file):
    row = read_row(row_file(ROW))
    with pytest.raises(ValueError, match="no seed is trained in all arms yet"):
        summarise(row, outcomes_of({"baseline": {1: 0.5}, "+ ELMo": {2: 0.5}}))
    full = outcomes_of({"baseline": {1: 1}, "+ ELMo": {1: 1}})
    outcomes = {key: outcome._replace(metrics={"loss": 1.0}) for key, outcome in full.items()}
    with pytest.raises(ValueError, match="has no 'f1'; it has loss"):
        summarise(row, outcomes)


@pytest.fixture
def summaries(row_file):
    row = read_row(row_file(ROW))
    return row, summarise(row, outcomes_of({"baseline": {1: 0.5, 2: 0.6}, "+ ELMo": {1: 0.6, 2: 0.75}}))


def test_a_section_holds_every_number(summaries):
    text = section(*summaries, gathered([this_machine()]), Path("pictures/row.png"))
    assert "| + ELMo | 67.50 ± 10.61 (60.00, 75.00) | +12.50 ± 3.54 | 0.126 | 1.5 min |" in text
    assert "| baseline | 55.00 ± 7.07 (50.00, 60.00) |  |  | 1.5 min |" in text
    assert "What + ELMo learned to mix: elmo/layer_0 0.25 ± 0.00." in text
    assert "![names, with ELMo and without](pictures/row.png)" in text


def test_a_page_keeps_all_but_the_rows_own_section(summaries, tmp_path):
    row, _ = summaries
    page = tmp_path / "docs/page.md"
    set_into(page, row, "first\n")
    page.write_text(page.read_text() + "\nafter\n")
    set_into(page, row._replace(name="other"), "third\n")
    set_into(page, row, "second\n")
    text = page.read_text()
    assert "first" not in text
    assert text.index("# What was measured") < text.index("second") < text.index("after") < text.index("third")
    page.write_text(text.replace("<!-- elmo-results row ends -->", ""))
    with pytest.raises(ValueError, match="one of the marks"):
        set_into(page, row, "x\n")


def test_the_picture_is_a_picture(summaries, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    draw(tmp_path / "a/b.png", *summaries)
    assert (tmp_path / "a/b.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_names_of_arms_become_names_of_folders():
    assert folder_name("+ ELMo (no residual)") == "elmo-no-residual"
