import torch

from elmo_plugin.modules.mix_metrics import mix_metrics


class Mixing(torch.nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = value

    def mix_metrics(self):
        return {"elmo/gamma": self.value}


def test_two_embedders_do_not_overwrite_each_other():
    model = torch.nn.ModuleDict({"one": Mixing(1.0), "two": Mixing(2.0), "other": torch.nn.Linear(1, 1)})
    assert mix_metrics(model) == {"elmo/gamma": 1.0, "two/elmo/gamma": 2.0}
