"""On several threads, too, a step of training gives the same bits each time."""

import torch

from elmo_plugin.bilm.language_model import LanguageModel
from elmo_plugin.bilm.options import BilmOptions
from tests.bilm.small_models import small_options


def gradients(model, window):
    model.zero_grad()
    output = model(**window, state=model.zero_state(len(window["forward_inputs"])))
    (output.forward_losses.sum() + output.backward_losses.sum()).backward()
    return [parameter.grad for parameter in model.parameters()]


def test_gradients_of_words_that_stand_in_many_places_have_the_same_bits_each_time():
    options = {**small_options(), "n_tokens_vocab": 300}
    width = options["char_cnn"]["max_characters_per_token"]
    model = LanguageModel(BilmOptions.from_dict(options))
    # So many that torch gives them to several threads.
    num_rows = 2**15 // options["lstm"]["projection_dim"] // 20 + 100
    window = {name: torch.randint(0, 5, (num_rows, 20)) for name in ("forward_inputs", "backward_inputs")}
    window.update((name, torch.randint(0, 300, (num_rows, 20))) for name in ("forward_targets", "backward_targets"))
    window["types"] = torch.randint(1, 262, (5, width))
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        first, *others = (gradients(model, window) for _ in range(4))
    finally:
        torch.set_num_threads(before)
    for other in others:
        assert all(torch.equal(one, same) for one, same in zip(first, other))
