import pytest

from elmo_plugin.bilm.batches import Batching, batches_by_length, batches_in_order


def test_batches_in_order_are_all_full_but_the_last():
    assert batches_in_order(5, 2) == [[0, 1], [2, 3], [4]]
    assert batches_in_order(0, 2) == []


def test_every_sentence_is_in_exactly_one_batch_by_length():
    lengths = [3, 0, 7, 7, 1, 50, 2]
    batches = batches_by_length(lengths, Batching(None, 20))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))


def test_no_batch_by_length_has_more_tokens_than_the_budget_but_a_long_sentence_alone():
    lengths = [3, 0, 7, 7, 1, 50, 2]
    batches = batches_by_length(lengths, Batching(None, 20))
    sizes = [len(batch) * (max(lengths[index] for index in batch) + 2) for batch in batches]
    assert batches[0] == [5] and sizes[0] == 52
    assert max(sizes[1:]) <= 20


def test_the_budget_is_used_up():
    assert batches_by_length([3, 3, 3, 3, 3], Batching(None, 20)) == [[0, 1, 2, 3], [4]]
    assert batches_by_length([3, 3, 3, 3, 3], Batching(None, 19)) == [[0, 1, 2], [3, 4]]


def test_a_batch_by_length_has_at_most_batch_size_sentences():
    assert batches_by_length([1] * 5, Batching(2, None)) == [[0, 1], [2, 3], [4]]


def test_without_any_bound_all_is_one_batch():
    assert batches_by_length([1, 2], Batching(None, None)) == [[1, 0]]


@pytest.mark.parametrize(
    "batching, message",
    [
        (Batching(0), r"`batch_size` \(--batch-size\) must be at least 1, but it is 0"),
        (Batching(1, -3), r"`token_budget` \(--token-budget\) must be at least 1, but it is -3"),
    ],
)
def test_sizes_below_one_are_refused(batching, message):
    with pytest.raises(ValueError, match=message):
        batching.check()
