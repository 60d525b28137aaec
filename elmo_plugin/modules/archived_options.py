"""
A biLM's options inside the state dict of whatever model holds it.

An archive of AllenNLP holds the configuration as it was typed, with paths of files that need not exist where the
archive is used. The options therefore travel as a tensor, beside the weights, and are looked up there when an archive
is loaded.
"""

import json
import os
from typing import Any, Dict, Iterator, Optional, Union

import torch
from torch import Tensor

from elmo_plugin.bilm.options import BilmOptions

BUFFER_NAME = "elmo_options_json"
# What AllenNLP calls the weights in an archive, and in a directory of training.
_WEIGHT_FILES = ("weights.th", "best.th")


def json_to_tensor(content: Dict[str, Any]) -> Tensor:
    """JSON as bytes. Shape: (number of bytes,), `uint8`"""
    return torch.frombuffer(bytearray(json.dumps(content, sort_keys=True).encode()), dtype=torch.uint8)


def options_to_tensor(options_file: str, options: BilmOptions) -> Tensor:
    """The buffer of an embedder. Shape: (number of bytes,), `uint8`"""
    return json_to_tensor({"options_file": options_file, "options": options.to_dict()})


def archived_contents(
    serialization_dir: Optional[Union[str, os.PathLike]], buffer_name: str
) -> Iterator[Dict[str, Any]]:
    """
    What buffers of that name hold in the weights in a directory, if there are any.

    # Parameters

    serialization_dir : where AllenNLP has unpacked an archive, or trains.
    """
    if serialization_dir is None:
        return
    for name in _WEIGHT_FILES:
        path = os.path.join(serialization_dir, name)
        if os.path.isfile(path):
            # Memory-mapped: of the tensors, only these bytes are read.
            state = torch.load(path, map_location="cpu", mmap=True, weights_only=True)
            for key, tensor in state.items():
                if key.split(".")[-1] == buffer_name:
                    yield json.loads(bytes(tensor.tolist()))
            return


def archived_options(
    serialization_dir: Optional[Union[str, os.PathLike]], options_file: str
) -> Optional[BilmOptions]:
    """
    The options that the weights in a directory hold for an embedder with this `options_file`, or `None`.

    # Parameters

    serialization_dir : where AllenNLP has unpacked an archive, or trains.
    options_file : as the configuration has it; tells several embedders of one model apart.
    """
    for content in archived_contents(serialization_dir, BUFFER_NAME):
        if content["options_file"] == options_file:
            return BilmOptions.from_dict(content["options"])
    return None
