"""Lines of Python are within 120 characters, so that two files fit beside one another."""

LONGEST = 120
FOLDERS = ("benchmarks", "demo", "elmo_plugin", "fixtures", "tests", "tools")


def test_no_line_is_too_long(project_root):
    paths = [path for folder in FOLDERS for path in (project_root / folder).rglob("*.py")]
    assert len(paths) > 100
    too_long = [
        f"{path.relative_to(project_root)}:{number}: {len(line)} characters"
        for path in (*paths, project_root / "setup.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1)
        if len(line) > LONGEST
    ]
    assert too_long == []
