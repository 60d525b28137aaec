import os

import pytest

from elmo_plugin.bilm.dump import DumpSettings, parts_folder, write_dump
from elmo_plugin.bilm.embedding import SentenceReader, steady_state_of
from elmo_plugin.bilm.out_of_memory import OutOfMemory
from elmo_plugin.bilm.weights import load_bilm
from tests.conftest import PROJECT_ROOT

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"


class EndingReader(SentenceReader):
    """Ends the process that it comes to, as the system does where memory runs out."""

    def to(self, device):
        os._exit(9)


def reader_of(policy="steady", kind=SentenceReader):
    bilm = load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5")
    return kind(bilm, policy, steady_state_of(bilm, FIXTURE / "weights.hdf5"))


def test_a_state_that_is_carried_on_needs_one_process(tmp_path):
    with pytest.raises(ValueError, match="Several processes can't share .* Take one process, or another state"):
        write_dump(reader_of("stateful"), ["a b"], tmp_path / "v", DumpSettings(devices=["cpu", "cpu"]))


# A process that helps imports everything anew, which takes seconds.
def test_a_process_that_ends_early_is_an_error_with_a_remedy_and_what_was_computed_is_kept(tmp_path):
    lines = ["one two three"] * 6
    settings = DumpSettings(part_bytes=3 * 32 * 4 * 6)

    def stop(progress):
        if progress.num_done >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dump(reader_of(), lines, tmp_path / "v", settings, on_progress=stop)
    kept = sorted(parts_folder(tmp_path / "v").iterdir())
    message = "A process ended before its work was done, .* Take fewer processes .--processes."
    with pytest.raises(OutOfMemory, match=message):
        write_dump(reader_of(kind=EndingReader), lines, tmp_path / "v", settings._replace(devices=["cpu"]))
    assert sorted(parts_folder(tmp_path / "v").iterdir()) == kept and len(kept) == 2
