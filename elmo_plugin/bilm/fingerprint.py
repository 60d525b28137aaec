"""What a biLM is, in 64 letters: two models have the same fingerprint where they give the same vectors."""

import hashlib
import json
from dataclasses import replace
from typing import Optional

from torch import Tensor

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.state import BilmState


def fingerprint(bilm: Bilm, steady: Optional[BilmState] = None) -> str:
    """
    SHA-256 of a model's shape and weights, as `float32`, and of the state before its sentences, wherever they came
    from.

    # Parameters

    steady : the stored state that sentences start from, if they do.
    """
    options = bilm.options
    bare = replace(
        options,
        lstm=replace(options.lstm, extra={}),
        char_cnn=None if options.char_cnn is None else replace(options.char_cnn, extra={}),
        num_words=options.num_words if options.char_cnn is None else None,
        extra={},
    )
    digest = hashlib.sha256(json.dumps(bare.to_dict(), sort_keys=True).encode())
    for name, tensor in sorted(bilm.state_dict().items()):
        digest.update(name.encode())
        _update(digest, tensor)
    if steady is not None:
        digest.update(state_fingerprint(steady).encode())
    return digest.hexdigest()


def state_fingerprint(state: BilmState) -> str:
    """SHA-256 of a state."""
    digest = hashlib.sha256()
    for direction in state:
        for tensor in direction:
            _update(digest, tensor)
    return digest.hexdigest()


def _update(digest: "hashlib._Hash", tensor: Tensor) -> None:
    digest.update(tensor.detach().float().cpu().contiguous().numpy().tobytes())
