import pytest


@pytest.fixture
def write(tmp_path):
    """Writes a file for a reader and gives its path."""

    def write_file(text, name="file.txt"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8", newline="")
        return str(path)

    return write_file
