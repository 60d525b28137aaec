"""Reading sentences: this project's biLM beside AllenNLP's, with the same weights."""

import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List

import numpy
import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.embedding import AVERAGE, SentenceReader, vectors_of
from elmo_plugin.bilm.ops.dispatch import forced, is_compiled
from elmo_plugin.bilm.ops.packed_matrix import FLOAT16, FLOAT32, INT8
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.state_policy import STATEFUL, ZERO
from elmo_plugin.bilm.weights import save_weights

Sentences = List[List[str]]
Read = Callable[[Sentences], Any]

OURS, CACHED, THEIRS = "elmo_plugin", "elmo_plugin, words known", "AllenNLP"
NOT_COMPILED = "elmo_plugin, not compiled"
PACKED = {weights: f"elmo_plugin, {weights}" for weights in (FLOAT16, INT8)}
TOLERANCE = 1e-5


class Disagreement(ValueError):
    """Two contenders that should compute the same did not."""


def readers(options: BilmOptions, device: torch.device, known: Sentences) -> Dict[str, Read]:
    """
    From words to ELMo vectors: with nothing remembered, with the words of `known` remembered, with AllenNLP's `Elmo`;
    and, on a CPU, with nothing remembered by torch's products alone, where the program in C runs, and with weights in
    fewer bits. The weights are random.

    # Raises

    `Disagreement` where the vectors of the first 8 sentences of `known` differ by more than 1e-5 of their largest
    number.
    """
    torch.manual_seed(13)
    bilm = Bilm(options).eval().to(device)
    theirs = _allennlps(bilm, options, device)
    check_agreement(bilm, theirs, known[:8])
    cached = SentenceReader(bilm, ZERO)
    for begin in range(0, len(known), 256):
        cached.word_vectors(list(dict.fromkeys(word for sentence in known[begin : begin + 256] for word in sentence)))
    forgetful = {
        name: SentenceReader(bilm, ZERO, cached_words=0, weights=weights)
        for name, weights in ((OURS, FLOAT32), *((name, weights) for weights, name in PACKED.items()))
        if weights == FLOAT32 or device.type == "cpu"
    }
    found: Dict[str, Read] = {name: partial(_read, reader) for name, reader in forgetful.items()}
    if is_compiled(bilm.forward_lstm.layers[0].weight_projection):
        found[NOT_COMPILED] = partial(_read_by_torch, SentenceReader(bilm, ZERO, cached_words=0))
    return {**found, CACHED: partial(_read, cached), THEIRS: theirs}


def errors(contenders: Dict[str, Read], sentences: Sentences) -> Dict[str, float]:
    """
    Of the contenders with weights in fewer bits: the root of the mean square of their vectors' difference to those of
    float32, as a share of that of the vectors.
    """
    exact = numpy.concatenate(contenders[OURS](sentences))
    found = {}
    for name in PACKED.values():
        if name in contenders:
            difference = numpy.concatenate(contenders[name](sentences)) - exact
            found[name] = float(numpy.sqrt(numpy.square(difference).mean() / numpy.square(exact).mean()))
    return found


def _read(reader: SentenceReader, sentences: Sentences) -> List[numpy.ndarray]:
    return vectors_of(reader.read(sentences)[0], sentences, AVERAGE, "float32")


def _read_by_torch(reader: SentenceReader, sentences: Sentences) -> List[numpy.ndarray]:
    with forced("fast"):
        return _read(reader, sentences)


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
                f"Sentence {number}: the vectors differ from AllenNLP's by {difference:.2g}, more than {TOLERANCE:g} "
                f"of the largest number, {largest:.2g}. No time of a wrong result is worth anything; please report "
                "this."
            )
