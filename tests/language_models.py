"""Language models trained with the shipped configuration, shrunk, and what they must give."""

import json
import math
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy
from allennlp.commands.train import train_model_from_file

from elmo_plugin.bilm.weights import save_weights
from elmo_plugin.models.language_model import BidirectionalLanguageModel
from tests import oracle, oracle_softmax, oracle_words
from tests.oracle_weights import read_weights

CONFIG = "training_configs/bilm.jsonnet"
# Seconds instead of a minute.
SMALL: Dict[str, Any] = {
    "trainer.num_epochs": 1,
    "data_loader.batch_size": 32,
    "model.options.lstm.dim": 24,
    "model.options.char_cnn.filters": [[1, 4], [2, 8]],
}


def train(folder: Path, **overrides: Any) -> Path:
    """
    Trains in a folder and gives the archive. Keys of `overrides` have two underscores for a dot. The working directory
    must be the project's root, from which the configuration names its files.
    """
    changes = {**SMALL, **{key.replace("__", "."): value for key, value in overrides.items()}}
    train_model_from_file(CONFIG, str(folder), overrides=json.dumps(changes))
    return folder / "model.tar.gz"


def read_sentences(path: Path) -> List[List[str]]:
    return [line.split() for line in path.read_text(encoding="utf-8").splitlines()]


def oracle_perplexities(
    model: BidirectionalLanguageModel, sentences: List[List[str]], folder: Path
) -> Tuple[float, float]:
    """
    Forward and backward perplexity of a text in one row, from the equations: no windows, no batches, in float64.
    """
    save_weights(model.language_model.bilm, folder / "for_the_oracle.hdf5")
    weights, options = read_weights(folder / "for_the_oracle.hdf5"), model.options.to_dict()
    softmax = model.language_model.softmax
    weight, bias = (tensor.detach().double().numpy() for tensor in (softmax.weight, softmax.bias.squeeze(1)))
    ids = model.vocab.get_token_to_index_vocabulary("elmo_words")
    results = []
    for direction, (first, last) in enumerate((("<S>", "</S>"), ("</S>", "<S>"))):
        inputs: List[str] = []
        targets: List[str] = []
        for sentence in sentences:
            words = sentence if direction == 0 else sentence[::-1]
            inputs += [first, *words]
            targets += [*words, last]
        characters = oracle_words.words_to_characters(inputs, options["char_cnn"]["max_characters_per_token"])
        vectors, _ = oracle_words.encode_words(characters, weights, options)
        layers, _, _ = oracle.read_direction(vectors[None], numpy.array([len(inputs)]), weights, options, direction)
        target_ids = numpy.array([ids.get(word, ids["<UNK>"]) for word in targets])
        losses, _ = oracle_softmax.full_softmax(layers[-1, 0], target_ids, weight, bias)
        results.append(math.exp(losses.mean()))
    return results[0], results[1]
