import numpy
import pytest

from elmo_plugin.bilm.encoded_text import TextShard
from elmo_plugin.bilm.sentence_orders import RunningOrder, ShuffledOrder


def random_shards(rng, num_shards):
    """Sentences of 0 to 5 tokens, each token another number."""
    shards, next_token = [], 0
    for _ in range(num_shards):
        lengths = rng.integers(0, 6, rng.integers(1, 40))
        offsets = numpy.concatenate([[0], numpy.cumsum(lengths)])
        shards.append(TextShard(numpy.arange(next_token, next_token + offsets[-1], dtype=numpy.int32), offsets))
        next_token += offsets[-1]
    return shards


def orders(rng, num_shards):
    shards = random_shards(rng, num_shards)
    return [RunningOrder(shards), ShuffledOrder(shards, rng)]


@pytest.mark.parametrize("case", range(12))
def test_the_sentences_lie_end_to_end_and_each_step_belongs_to_one(case):
    rng = numpy.random.default_rng(case)
    for order in orders(rng, case % 5 + 1):
        num_sentences = sum(shard.num_sentences for shard in order.shards)
        places = order.places(numpy.arange(num_sentences))
        assert order.num_steps == order.num_tokens + num_sentences
        assert places.first_steps.tolist() == numpy.cumsum([0, *(places.lengths[:-1] + 1)]).tolist()
        expected = numpy.repeat(numpy.arange(num_sentences), places.lengths + 1)
        assert order.sentences_at(numpy.arange(order.num_steps)).tolist() == expected.tolist()
        some = rng.integers(0, num_sentences, 20)
        assert order.places(some).begins.tolist() == places.begins[some].tolist()


@pytest.mark.parametrize("case", range(12))
def test_their_tokens_are_those_of_the_shards_each_once(case):
    rng = numpy.random.default_rng(case)
    for order in orders(rng, case % 5 + 1):
        sentences = [tuple(s.type_ids[a:b]) for s in order.shards for a, b in zip(s.offsets, s.offsets[1:])]
        begins, lengths, _ = order.places(numpy.arange(len(sentences)))
        found = [tuple(order.take(numpy.arange(b, b + n))) for b, n in zip(begins, lengths)]
        assert sorted(found) == sorted(sentences)
        assert (found == sentences) == isinstance(order, RunningOrder)
        positions = rng.permutation(order.num_tokens)
        assert order.take(positions).tolist() == positions.tolist()


def test_the_nearest_end_of_a_sentence_is_found_and_of_two_the_later():
    shards = [TextShard(numpy.zeros(ends[-1], numpy.int32), numpy.array(ends)) for ends in ([0, 1, 4], [0, 3])]
    order = RunningOrder(shards)
    # Sentences end at 2, 6 and 10.
    steps = numpy.array([0, 0.9, 1, 1.9, 2, 3.9, 4, 4.1, 6, 7.9, 8, 9.9, 10])
    assert order.nearest_ends(steps).tolist() == [0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 10, 10, 10]


def test_a_shuffle_is_that_of_its_generator():
    shards = random_shards(numpy.random.default_rng(0), 3)
    first, second, other = (ShuffledOrder(shards, numpy.random.default_rng(seed)) for seed in (1, 1, 2))
    numbers = numpy.arange(sum(shard.num_sentences for shard in shards))
    assert first.places(numbers).begins.tolist() == second.places(numbers).begins.tolist()
    assert first.places(numbers).begins.tolist() != other.places(numbers).begins.tolist()
