import subprocess
import sys

import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError

import elmo_plugin.compat  # noqa: F401


def test_without_the_mend_a_folder_ends_the_process(tmp_path):
    program = "import sys; from allennlp.common import Params; Params.from_file(sys.argv[1])"
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode < 0 and "Traceback" not in ended.stderr


def test_a_folder_is_no_configuration(tmp_path):
    with pytest.raises(ConfigurationError, match=f"^{tmp_path} is a folder. Give the file of a configuration.$"):
        Params.from_file(str(tmp_path))


def test_of_the_folder_of_a_training_its_configuration_is_named(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="; that of the training in it is .*/config.json.$"):
        Params.from_file(tmp_path)


def test_a_file_is_read_with_its_variables(tmp_path):
    (tmp_path / "a.jsonnet").write_text("{ a: 1 + 1, b: std.extVar('C') }")
    assert Params.from_file(tmp_path / "a.jsonnet", ext_vars={"C": "d"}).as_dict() == {"a": 2, "b": "d"}
