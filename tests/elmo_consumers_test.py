"""
Programs written for AllenNLP 0.9 go on with nothing changed but the import.

Two such programs, ours from the first line to the last: one does with the embedder what embeddings of tagging libraries
do, one what scripts for protein sequences do.
"""

import io
import pickle

import numpy
import pytest
import torch

from elmo_plugin import ElmoEmbedder
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

OPTIONS = str(PROJECT_ROOT / "fixtures" / "bilm" / "options.json")
WEIGHTS = PROJECT_ROOT / "fixtures" / "bilm" / "weights.hdf5"


class TaggerEmbeddings:
    """Token vectors for a tagger: layers joined, the embedder pickled with the tagger, moved when it is loaded."""

    def __init__(self, mode: str) -> None:
        self.embedder = ElmoEmbedder(options_file=OPTIONS, weight_file=WEIGHTS, cuda_device=-1)
        self.mode = mode
        self.width = self.vectors([["probe"]])[0][0].numel()

    def vectors(self, sentences):
        per_sentence = self.embedder.embed_batch(sentences)
        return [
            [self.join(layers, token) for token in range(len(words))] for layers, words in zip(per_sentence, sentences)
        ]

    def join(self, layers, token):
        parts = [torch.FloatTensor(layers[layer, token, :]) for layer in range(3)]
        if self.mode == "top":
            return parts[-1]
        return torch.cat(parts) if self.mode == "all" else torch.stack(parts).mean(dim=0)

    def __setstate__(self, state):
        self.__dict__ = state
        self.embedder.cuda_device = -1
        self.embedder.elmo_bilm.to(device=torch.device("cpu"))
        lstm = self.embedder.elmo_bilm._elmo_lstm
        lstm._states = tuple([states.to("cpu") for states in lstm._states])


class ProteinEmbeddings:
    """One letter a word; a batch that does not fit is read one sequence at a time."""

    def __init__(self) -> None:
        self.embedder = ElmoEmbedder(weight_file=WEIGHTS, options_file=OPTIONS, cuda_device=-1)

    def of_residues(self, sequence):
        return self.embedder.embed_sentence(list(sequence)).sum(axis=0)

    def of_proteins(self, sequences):
        try:
            found = list(self.embedder.embed_batch([list(sequence) for sequence in sequences]))
        except RuntimeError:
            found = [self.embedder.embed_sentence(list(sequence)) for sequence in sequences]
        return [torch.tensor(layers).sum(dim=0).mean(dim=0) for layers in found]


@pytest.mark.parametrize("mode, width", [("all", 96), ("top", 32), ("average", 32)])
def test_a_tagger_embeds_is_saved_loaded_and_embeds_the_same(mode, width):
    embeddings = TaggerEmbeddings(mode)
    sentences = [["The", "grass", "is", "green", "."], ["Yes"]]
    vectors = embeddings.vectors(sentences)
    assert embeddings.width == width
    assert [len(of_sentence) for of_sentence in vectors] == [5, 1]
    again = pickle.loads(pickle.dumps(embeddings)).vectors(sentences)
    assert_close(torch.stack(vectors[0]), torch.stack(again[0]))
    buffer = io.BytesIO()
    torch.save(embeddings, buffer)
    buffer.seek(0)
    loaded = torch.load(buffer, weights_only=False)
    assert loaded.vectors(sentences)[1][0].shape == (width,)


def test_protein_vectors_are_of_the_sequence_alone():
    embeddings = ProteinEmbeddings()
    sequences = ["SEQWENCE", "MKV", "MKV" * 30]
    proteins = embeddings.of_proteins(sequences)
    assert embeddings.of_residues("SEQWENCE").shape == (8, 32)
    for protein, sequence in zip(proteins, sequences):
        assert_close(protein, embeddings.of_residues(sequence).mean(axis=0))


def test_a_batch_beyond_the_memory_is_caught_as_the_old_programs_catch_it(monkeypatch):
    embeddings = ProteinEmbeddings()
    bilm = embeddings.embedder.elmo_bilm.bilm
    contextualize = bilm.contextualize

    def only_one(vectors, lengths, state):
        return contextualize(vectors, lengths, state) if len(lengths) == 1 else torch.empty(2**60)

    monkeypatch.setattr(bilm, "contextualize", only_one)
    assert [vector.shape for vector in embeddings.of_proteins(["SEQ", "WENCE"])] == [(32,), (32,)]


def test_a_random_control_initialises_the_model_anew():
    embedder, control = ElmoEmbedder(OPTIONS, WEIGHTS), ElmoEmbedder(OPTIONS, WEIGHTS, cuda_device=-1)

    def initialise(module):
        if hasattr(module, "weight") and module.weight.dim() > 1:
            torch.nn.init.xavier_normal_(module.weight.data)

    control.elmo_bilm.apply(initialise)
    ours, theirs = (elmo.embed_sentence(["a", "word"]) for elmo in (embedder, control))
    assert ours.shape == theirs.shape and not numpy.allclose(ours, theirs, atol=0.1)


def test_scripts_that_average_over_layers_and_write_files(tmp_path):
    embedder = ElmoEmbedder(OPTIONS, WEIGHTS)
    vectors = embedder.embed_sentence("a few words".split())
    assert numpy.average(vectors, 0).shape == (3, 32)
    assert numpy.swapaxes(vectors, 0, 1).shape == (3, 3, 32)
    with open(tmp_path / "text.txt", "w") as file:
        file.write("a few words\nmore\n")
    with open(tmp_path / "text.txt") as file:
        embedder.embed_file(
            file, str(tmp_path / "v.hdf5"), output_format="average", batch_size=64, forget_sentences=True
        )
    assert (tmp_path / "v.hdf5").stat().st_size > 0
