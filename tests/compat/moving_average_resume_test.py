import torch
from allennlp.training.moving_average import ExponentialMovingAverage

from tests.compat import scenarios


def test_without_the_mend_a_resumed_training_validates_without_the_average(unmended):
    in_one_go, resumed = unmended["resume_with_a_moving_average"]["result"]
    assert resumed["training_loss"] == in_one_go["training_loss"]
    assert resumed["validation_loss"] != in_one_go["validation_loss"]


def test_a_resumed_training_is_the_one_that_was_not_stopped(tmp_path):
    in_one_go, resumed = scenarios.resume_with_a_moving_average(tmp_path)
    assert resumed == in_one_go


def test_the_average_goes_on_with_the_models_own_parameters():
    saved = ExponentialMovingAverage([("weight", torch.nn.Parameter(torch.tensor([4.0])))], decay=0.5)
    parameter = torch.nn.Parameter(torch.tensor([8.0]))
    average = ExponentialMovingAverage([("weight", parameter)], decay=0.5)
    average.load_state_dict(saved.state_dict())
    average.apply()
    average.assign_average_value()
    assert parameter.item() == 6.0
    average.restore()
    assert parameter.item() == 8.0
