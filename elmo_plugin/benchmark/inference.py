"""Reading sentences: this project's biLM beside AllenNLP's, with the same weights."""

import json
import tempfile
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy
import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.embedding import AVERAGE, SentenceReader, vectors_of
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.state_policy import STATEFUL, ZERO
from elmo_plugin.bilm.weights import save_weights

Sentences = List[List[str]]
Read = Callable[[Sentences], Any]

OURS, CACHED, THEIRS = "elmo_plugin", "elmo_plugin, words known", "AllenNLP"
TOLERANCE = 1e-5


class Disagreement(ValueError):
    """Two contenders that should compute the same did not."""


def readers(options: BilmOptions, device: torch.device, known: Sentences) -> Dict[str, Read]:
    """
    From words to ELMo vectors, three ways: with nothing remembered, with the words of `known` remembered, and with
    AllenNLP's `Elmo`. The weights are random.

    # Raises

    `Disagreement` where the vectors of the first 8 sentences of `known` differ by more than 1e-5 of their largest number.
    """
    torch.manual_seed(13)
    bilm = Bilm(options).eval().to(device)
    theirs = _allennlps(bilm, options, device)
    check_agreement(bilm, theirs, known[:8])
    cached = SentenceReader(bilm, ZERO)
    for begin in range(0, len(known), 256):
        cached.word_vectors(list(dict.fromkeys(word for sentence in known[begin : begin + 256] for word in sentence)))
    return {
        OURS: lambda sentences: _read(SentenceReader(bilm, ZERO, cached_words=0), sentences),
        CACHED: lambda sentences: _read(cached, sentences),
        THEIRS: theirs,
    }


def _read(reader: SentenceReader, sentences: Sentences) -> List[numpy.ndarray]:
    return vectors_of(reader.read(sentences)[0], sentences, AVERAGE, "float32")


def _allennlps(bilm: Bilm, options: BilmOptions, device: torch.device) -> Read:
    """AllenNLP's `Elmo` with a mix of equal weights, which is the average."""
    from allennlp.modules.elmo import Elmo, batch_to_ids

    with tempfile.TemporaryDirectory() as folder:
        options_file, weight_file = Path(folder) / "options.json", Path(folder) / "weights.hdf5"
        options_file.write_text(json.dumps(options.to_dict()), encoding="utf-8")
        save_weights(bilm, weight_file)
        elmo = Elmo(str(options_file), str(weight_file), 1, dropout=0.0).eval().to(device)

    def read(sentences: Sentences) -> torch.Tensor:
        with torch.no_grad():
            return elmo(batch_to_ids(sentences).to(device))["elmo_representations"][0].cpu()

    return read


def check_agreement(bilm: Bilm, theirs: Read, sentences: Sentences) -> None:
    """Both begin with zeros here; AllenNLP's carries its state on from now."""
    ours = _read(SentenceReader(bilm, STATEFUL), sentences)
    expected = theirs(sentences).numpy()
    largest = max(float(numpy.abs(row).max()) for row in ours if row.size)
    for number, (row, other) in enumerate(zip(ours, expected)):
        difference = float(numpy.abs(row - other[: len(row)]).max(initial=0.0))
        if not difference <= TOLERANCE * max(1.0, largest):
            raise Disagreement(
                f"Sentence {number}: the vectors differ from AllenNLP's by {difference:.2g}, more than {TOLERANCE:g} of the "
                f"largest number, {largest:.2g}. No time of a wrong result is worth anything; please report this."
            )
