import json
from dataclasses import replace

import pytest
import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.embedding import steady_state_of
from elmo_plugin.bilm.fingerprint import fingerprint
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.weights import load_bilm, load_weights
from tests.conftest import PROJECT_ROOT

OPTIONS, WEIGHTS = PROJECT_ROOT / "fixtures/bilm/options.json", PROJECT_ROOT / "fixtures/bilm/weights.hdf5"


@pytest.fixture()
def bilm():
    return load_bilm(OPTIONS, WEIGHTS)


def test_the_same_model_has_the_same_fingerprint_whatever_its_file_tells_of_its_training(bilm):
    options = json.loads(OPTIONS.read_text())
    options.pop("n_tokens_vocab")
    other = Bilm(BilmOptions.from_dict({**options, "n_epochs": 3, "lstm": {**options["lstm"], "remark": 1}}))
    load_weights(other, WEIGHTS)
    assert fingerprint(bilm) == fingerprint(other)
    assert len(fingerprint(bilm)) == 64


def test_one_weight_one_option_and_the_steady_state_change_it(bilm):
    states = (None, steady_state_of(bilm, WEIGHTS), bilm.zero_state(1))
    prints = [fingerprint(bilm, state) for state in states]
    bilm.options = replace(bilm.options, lstm=replace(bilm.options.lstm, cell_clip=2.0))
    prints.append(fingerprint(bilm))
    with torch.no_grad():
        bilm.backward_lstm.layers[1].bias[3] += 1e-3
    prints.append(fingerprint(bilm))
    assert len(set(prints)) == 5
