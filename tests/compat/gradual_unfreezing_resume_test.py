import torch
from allennlp.training.learning_rate_schedulers import SlantedTriangular

from tests.compat import scenarios


def test_without_the_mend_a_resumed_training_has_everything_frozen_again(unmended):
    in_one_go, resumed = unmended["resume_with_gradual_unfreezing"]["result"]
    assert resumed["validation_loss"] != in_one_go["validation_loss"]


def test_a_resumed_training_is_the_one_that_was_not_stopped(tmp_path):
    in_one_go, resumed = scenarios.resume_with_gradual_unfreezing(tmp_path)
    assert resumed == in_one_go


def scheduler_over(parameters):
    groups = [{"params": [parameter]} for parameter in parameters] + [{"params": []}]
    return SlantedTriangular(
        torch.optim.SGD(groups, lr=0.1), num_epochs=4, num_steps_per_epoch=3, gradual_unfreezing=True
    )


def test_what_is_frozen_in_an_epoch_is_frozen_when_it_is_taken_up():
    for num_epochs, expected in enumerate([[False, False, True], [False, True, True], [True, True, True]]):
        first, second = ([torch.nn.Parameter(torch.zeros(1)) for _ in range(3)] for _ in range(2))
        scheduler = scheduler_over(first)
        for _ in range(num_epochs):
            scheduler.step()
        scheduler_over(second).load_state_dict(scheduler.state_dict())
        assert [parameter.requires_grad for parameter in second] == expected
        assert [parameter.requires_grad for parameter in first] == expected
