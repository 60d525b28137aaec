import math

import pytest
import torch

from elmo_plugin.bilm.batches import Batching
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.embedding import SentenceReader, steady_state_of
from elmo_plugin.bilm.language_model import LanguageModel
from elmo_plugin.bilm.scoring import SentenceScorer
from elmo_plugin.bilm.sidecar import load_sidecar
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import load_bilm
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"
SENTENCES = [line.split() for line in (PROJECT_ROOT / "fixtures/corpus/heldout.txt").read_text().splitlines()[:10]]
SENTENCES[2:2] = [[], ["Absentword", "said"]]


def scorer(policy="steady"):
    bilm = load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5")
    reader = SentenceReader(bilm, policy, steady_state_of(bilm, FIXTURE / "weights.hdf5"))
    vocabulary = WordVocabulary.from_file(FIXTURE / "vocabulary.txt")
    return SentenceScorer(reader, load_sidecar(FIXTURE / "sidecar.hdf5", bilm.options).softmax, vocabulary)


def of_the_language_model(this, sentence):
    """Minus the losses of the model in training, over a window that is the sentence."""
    model = LanguageModel(this.reader.bilm.options)
    model.bilm, model.softmax = this.reader.bilm, this.softmax
    model.eval()
    words = ["<S>", *sentence, "</S>"]
    ids = torch.from_numpy(this.vocabulary.encode(words))
    types, order = torch.from_numpy(words_to_characters(words, 50)), torch.arange(len(words))
    with torch.no_grad():
        output = model(
            types, order[None, :-1], order.flip(0)[None, :-1], ids[None, 1:], ids.flip(0)[None, 1:], model.zero_state(1)
        )
    return -output.forward_losses.numpy(), -output.backward_losses.flip(0).numpy()


def test_log_probabilities_are_minus_the_losses_of_the_language_model():
    this = scorer("zero")
    found, carried = this.log_probabilities(SENTENCES, Batching(None, 30))
    assert carried is None
    for sentence, scores in zip(SENTENCES, found):
        expected = of_the_language_model(this, sentence)
        assert scores.forward_.shape == (len(sentence) + 1,)
        assert_close(scores.forward_, expected[0])
        assert_close(scores.backward_, expected[1])


@pytest.mark.parametrize("policy", ["zero", "steady", "stateful"])
def test_perplexity_counts_every_word_and_boundary_once(policy):
    this = scorer(policy)
    scores, _ = this.log_probabilities(SENTENCES, Batching(1))
    found = this.perplexity(iter(SENTENCES), Batching(1))
    assert found.num_tokens == sum(len(sentence) + 1 for sentence in SENTENCES)
    sums = [sum(float(score[direction].sum()) for score in scores) / found.num_tokens for direction in (0, 1)]
    assert found.forward_ == pytest.approx(math.exp(-sums[0]), rel=1e-5)
    assert found.backward_ == pytest.approx(math.exp(-sums[1]), rel=1e-5)
    assert found.mean == pytest.approx(math.exp(-sum(sums) / 2), rel=1e-5)
    # It knows its language: chance would be 167.
    assert found.mean < 60


def test_a_text_whose_state_is_carried_is_read_sentence_after_sentence_unless_batches_are_asked_for():
    found = scorer("stateful").perplexity(SENTENCES)
    assert found == scorer("stateful").perplexity(SENTENCES, Batching(1))
    assert found != scorer("stateful").perplexity(SENTENCES, Batching(len(SENTENCES)))


def test_perplexity_is_the_same_whatever_the_blocks(monkeypatch):
    expected = scorer("stateful").perplexity(SENTENCES, Batching(2))
    monkeypatch.setattr("elmo_plugin.bilm.scoring._SENTENCES_AT_ONCE", 3)
    assert scorer("stateful").perplexity(SENTENCES, Batching(2)).mean == pytest.approx(expected.mean, rel=1e-5)


def test_substitutes_are_the_words_that_both_directions_give_the_highest_probability():
    this, sentence, position = scorer(), SENTENCES[0], 4
    best = this.substitutes(sentence, position, count=3)
    scores = {}
    for word in this.vocabulary.words[3:]:
        changed = [*sentence[:position], word, *sentence[position + 1 :]]
        found = this.log_probabilities([changed])[0][0]
        scores[word] = float(found.forward_[position] + found.backward_[position + 1])
    expected = sorted(scores, key=scores.get, reverse=True)[:3]
    assert [word for word, _ in best] == expected
    assert [score for _, score in best] == pytest.approx([scores[word] for word in expected], rel=1e-4)


def test_what_stands_in_a_place_does_not_matter_to_its_substitutes():
    this = scorer()
    one, other = (this.substitutes(["The", word, "was", "old", "."], 1) for word in ("house", "Absentword"))
    assert [word for word, _ in one] == [word for word, _ in other] and len(one) == 10
    assert not {"<S>", "</S>", "<UNK>"} & {word for word, _ in this.substitutes(["a"], 0, count=10**6)}


@pytest.mark.parametrize(
    "position, count, message",
    [
        (2, 1, "`position` must be from 0 to 1, the last word, but it is 2"),
        (-1, 1, "`position` must be from 0 to 1, the last word, but it is -1"),
        (0, 0, "`count` must be at least 1, but it is 0"),
    ],
)
def test_places_that_are_none_are_refused(position, count, message):
    with pytest.raises(ValueError, match=message):
        scorer().substitutes(["two", "words"], position, count)


def test_a_sentence_without_words_has_no_substitutes():
    with pytest.raises(ValueError, match="`sentence` must hold at least one word, but it is empty"):
        scorer().substitutes([], 0)


def test_a_text_without_sentences_and_a_foreign_vocabulary_are_refused():
    this = scorer()
    with pytest.raises(ValueError, match="There is no sentence whose perplexity"):
        this.perplexity([])
    with pytest.raises(ValueError, match="The vocabulary has 167 words, but the softmax has 5"):
        SentenceScorer(this.reader, Softmax(5, 16), this.vocabulary)
