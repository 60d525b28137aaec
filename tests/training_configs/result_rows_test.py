"""The rows that are shipped: what they override exists in their configurations, and their arms differ in ELMo alone."""

import json

import pytest
from allennlp.common import Params

from elmo_plugin.results.row import overrides_of, read_row
from tests.conftest import PROJECT_ROOT

ROWS = sorted((PROJECT_ROOT / "training_configs" / "results").glob("*.jsonnet"))
VARIABLES = {"DATA": "data", "BILM": "bilm", "STORE": "store"}


@pytest.fixture(params=ROWS, ids=lambda path: path.stem)
def row(request, monkeypatch):
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    return read_row(str(request.param))


def leaves(config, prefix=""):
    for key, value in config.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def test_every_override_is_of_a_setting_that_there_is(row):
    for arm in row.arms:
        known = dict(leaves(Params.from_file(arm.config).as_dict()))
        new = [key for key in arm.overrides if key not in known and not key.endswith("token_embedders.elmo.store")]
        assert new == []


def test_the_arms_differ_in_elmo_alone(row):
    configs = [Params.from_file(arm.config, json.dumps(overrides_of(arm, 1))).as_dict() for arm in row.arms]
    without_elmo = [{key: value for key, value in leaves(config) if "elmo." not in key} for config in configs]
    assert all(config == without_elmo[0] for config in without_elmo[1:])
    with_elmo = [any("token_embedders.elmo." in key for key, _ in leaves(config)) for config in configs]
    assert with_elmo == [False] + [True] * (len(configs) - 1)
