from pathlib import Path

import pytest
from allennlp.common.checks import ConfigurationError

from elmo_plugin.commands.reporting import reported


@pytest.mark.parametrize("error", [ValueError("a: expected b"), FileNotFoundError("a: expected b")])
def test_what_is_wrong_with_the_input_is_an_error_of_configuration(error):
    with pytest.raises(ConfigurationError, match="^a: expected b$"), reported(Path("out"), "Again."):
        raise error


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        RuntimeError("[enforce fail at x.cc:672] . unexpected pos 704 vs 5\nmore"),
    ],
)
def test_a_full_disk_is_an_error_that_says_how_much_room_there_is(tmp_path, error):
    message = str(error).splitlines()[0].replace("[", r"\[")
    expected = rf"^{message}, with \d+\.\d\d GB free on the disk of .*deep/out\. Make room\.$"
    with pytest.raises(ConfigurationError, match=expected), reported(tmp_path / "deep" / "out", "Make room."):
        raise error


def test_a_mistake_of_the_program_stays_what_it_is():
    with pytest.raises(RuntimeError, match="shapes differ"), reported(Path("out"), "Again."):
        raise RuntimeError("shapes differ")
