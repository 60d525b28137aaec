import pytest


@pytest.fixture(autouse=True)
def in_the_projects_root(project_root, monkeypatch):
    """Where the configurations are typed."""
    monkeypatch.chdir(project_root)
