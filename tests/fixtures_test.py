"""What is under `fixtures/` is what its scripts make and what its parts say of one another."""

import importlib.util
from collections import Counter

from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.sidecar import load_sidecar
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import load_bilm
from tests.language_models import read_sentences


def test_the_corpus_is_what_its_script_makes(project_root, tmp_path):
    fixtures = project_root / "fixtures"
    spec = importlib.util.spec_from_file_location("make_corpus", fixtures / "make_corpus.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.__file__ = str(tmp_path / "make_corpus.py")
    script.main()
    made = sorted(path.name for path in (tmp_path / "corpus").iterdir())
    assert made == ["heldout.txt", "train.txt", "vocabulary.txt"]
    for name in made:
        assert (tmp_path / "corpus" / name).read_bytes() == (fixtures / "corpus" / name).read_bytes()


def test_the_vocabulary_is_in_descending_order_of_count(project_root):
    folder = project_root / "fixtures" / "corpus"
    words = WordVocabulary.from_file(folder / "vocabulary.txt").words[3:]
    counts = Counter(word for sentence in read_sentences(folder / "train.txt") for word in sentence)
    assert [counts[word] for word in words] == sorted((counts[word] for word in words), reverse=True)
    assert set(words) == {word for word, count in counts.items() if count > 1}


def test_the_files_of_the_bilm_belong_together_and_to_the_corpus(project_root):
    folder = project_root / "fixtures" / "bilm"
    options = BilmOptions.from_file(folder / "options.json")
    load_bilm(folder / "options.json", folder / "weights.hdf5")
    sidecar = load_sidecar(folder / "sidecar.hdf5", options)
    corpus = WordVocabulary.from_file(project_root / "fixtures" / "corpus" / "vocabulary.txt")
    assert WordVocabulary.from_file(folder / "vocabulary.txt").words == corpus.words
    assert sidecar.softmax.num_words == options.num_words == len(corpus)
    assert sidecar.steady_state is not None
