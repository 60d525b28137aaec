import json
import sys

import pytest

from tests.results.rows import PROGRAM


@pytest.fixture
def row_file(tmp_path):
    def write(content):
        path = tmp_path / "row.jsonnet"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return write


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "program.py"
    path.write_text(PROGRAM)
    return [sys.executable, str(path)]
