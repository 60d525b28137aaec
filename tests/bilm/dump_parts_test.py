import numpy
import pytest
import torch

from elmo_plugin.bilm.dump_parts import Parts
from elmo_plugin.bilm.state import BilmState, LstmState

STATE = BilmState(*(LstmState(torch.rand(2, 3, 4), torch.rand(2, 3, 5)) for _ in range(2)))
ARRAYS = [numpy.arange(6, dtype="float32").reshape(1, 3, 2), numpy.zeros((1, 0, 2), dtype="float32")]


def test_a_part_comes_back_as_it_was_saved(tmp_path):
    parts = Parts(tmp_path / "p", {"text": "a"}, force=False)
    parts.save(0, ARRAYS, [3, 0], STATE)
    parts.save(1, ARRAYS, [3, 0], None)
    part = Parts(tmp_path / "p", {"text": "a"}, force=False).load(0)
    assert part.values.tolist() == [0, 1, 2, 3, 4, 5] and part.lengths.tolist() == [3, 0]
    assert torch.equal(part.carried.backward_.memory, STATE.backward_.memory)
    assert torch.equal(part.carried.forward_.hidden, STATE.forward_.hidden)
    assert parts.load(1).carried is None


def test_parts_count_up_to_the_first_gap(tmp_path):
    parts = Parts(tmp_path / "p", {}, force=False)
    for index in (0, 1, 3):
        parts.save(index, ARRAYS, [3, 0], None)
    assert len(parts) == 2
    parts.remove()
    assert not (tmp_path / "p").exists()


def test_parts_of_another_run_are_refused_or_with_force_removed(tmp_path):
    parts = Parts(tmp_path / "p", {"text": "a", "state": "zero", "dtype": "float32"}, force=False)
    parts.save(0, ARRAYS, [3, 0], None)
    other = {"text": "b", "state": "zero"}
    message = "it had other dtype, text. Repeat that run to finish it, delete the folder, or use --force"
    with pytest.raises(ValueError, match=message):
        Parts(tmp_path / "p", other, force=False)
    assert len(parts) == 1
    assert len(Parts(tmp_path / "p", other, force=True)) == 0
    assert len(Parts(tmp_path / "p", other, force=False)) == 0


def test_a_folder_of_somebody_elses_is_left_alone(tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "run.json.partial").write_text("{")
    Parts(tmp_path / "p", {"text": "a"}, force=False).remove()
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "thesis.txt").write_text("all of it")
    for force in (False, True):
        with pytest.raises(ValueError, match="p is where .* but it holds something else. Move it, or give the output"):
            Parts(tmp_path / "p", {"text": "a"}, force)
    assert (tmp_path / "p" / "thesis.txt").read_text() == "all of it"
