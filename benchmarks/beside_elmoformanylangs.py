"""
Vectors of ELMoForManyLangs itself beside those of its model imported here, for one model and one text.

    python benchmarks/beside_elmoformanylangs.py SOURCE MODEL TEXT

SOURCE is a checkout of that program, whose package `elmoformanylangs` runs on today's torch as it is where the package
`overrides` is installed; MODEL is a folder that it reads; TEXT has a sentence a line, words between white space. Each
batch begins with zeros in both. The largest difference is given relative to the largest number, and the exit status is
1 where it is over 1e-6.
"""

import sys
from pathlib import Path
from typing import List

import numpy

from elmo_plugin import ElmoEmbedder
from elmo_plugin.bilm.importing.elmoformanylangs import import_elmoformanylangs

BATCH_SIZE = 64
LARGEST = 1e-6
# What `output_layer` means there: the number of a layer, or all of them.
ALL_LAYERS = -2


def theirs_of(source: Path, model: Path, sentences: List[List[str]]) -> List[numpy.ndarray]:
    """The vectors of that program. Shape: (num_representations, num_tokens, representation_dim)"""
    sys.path.insert(0, str(source))
    from elmoformanylangs import Embedder

    embedder, vectors = Embedder(str(model), batch_size=BATCH_SIZE), []
    for start in range(0, len(sentences), BATCH_SIZE):
        embedder.model.encoder._states = None
        vectors += embedder.sents2elmo(sentences[start : start + BATCH_SIZE], ALL_LAYERS)
    return vectors


def ours_of(model: Path, sentences: List[List[str]]) -> List[numpy.ndarray]:
    """The same of the imported model."""
    embedder = ElmoEmbedder.from_bilm(import_elmoformanylangs(model).bilm, state="zero")
    return list(embedder.embed_sentences(sentences, BATCH_SIZE))


def relative_difference(some: List[numpy.ndarray], others: List[numpy.ndarray]) -> float:
    """The largest difference of two lists of arrays, relative to the largest number of the first."""
    if [one.shape for one in some] != [other.shape for other in others]:
        raise ValueError("The arrays have other shapes in both programs.")
    filled = [(one, other) for one, other in zip(some, others) if one.size > 0]
    largest = max(float(numpy.abs(one).max()) for one, _ in filled)
    return max(float(numpy.abs(one - other).max()) for one, other in filled) / largest


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit("usage: python benchmarks/beside_elmoformanylangs.py SOURCE MODEL TEXT")
    source, model, text = map(Path, sys.argv[1:])
    sentences = [line.split() for line in text.read_text(encoding="utf-8").splitlines()]
    difference = relative_difference(theirs_of(source, model, sentences), ours_of(model, sentences))
    print(f"{len(sentences):,} sentences: {difference:.1e} of the largest number")
    if difference > LARGEST:
        sys.exit(1)


if __name__ == "__main__":
    main()
