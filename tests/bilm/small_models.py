"""Models small enough for any test, and what else the tests of `bilm/` and of the adapters share."""

from typing import Any, Dict

import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.encoded_text import EncodedText
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.state import BilmState

PROJECTION_DIM, CELL_DIM, NUM_LAYERS = 4, 6, 2


def small_options(num_words: int = 12, max_characters: int = 10, **lstm: Any) -> Dict[str, Any]:
    """Laid out like options.json."""
    return {
        "char_cnn": {
            "embedding": {"dim": 3},
            "filters": [[1, 3], [2, 4]],
            "max_characters_per_token": max_characters,
            "n_highway": 1,
        },
        "lstm": {
            "dim": CELL_DIM,
            "projection_dim": PROJECTION_DIM,
            "n_layers": NUM_LAYERS,
            "cell_clip": 3,
            "proj_clip": 3,
            "use_skip_connections": True,
            **lstm,
        },
        "n_tokens_vocab": num_words,
    }


def small_bilm(seed: int = 0) -> Bilm:
    torch.manual_seed(seed)
    return Bilm(BilmOptions.from_dict(small_options()))


def random_state(batch_size: int, seed: int = 0) -> BilmState:
    """No two numbers of it are the same."""
    generator = torch.Generator().manual_seed(seed)
    return small_bilm().zero_state(batch_size).map(lambda tensor: torch.rand(tensor.shape, generator=generator))


def num_targets(text: EncodedText) -> int:
    """What one direction predicts in a pass: every word, and one boundary a sentence."""
    return text.num_tokens + text.num_sentences


def equal(one: BilmState, other: BilmState) -> bool:
    return all(torch.equal(a, b) for x, y in zip(one, other) for a, b in zip(x, y))
