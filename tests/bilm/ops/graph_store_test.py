import copy
import logging
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from elmo_plugin.bilm.ops import graph_store
from elmo_plugin.bilm.ops.graph_store import GraphStore, captured_in, current_store
from elmo_plugin.bilm.out_of_memory import OutOfMemory


class Content:
    def __init__(self, num_bytes=10):
        self.num_bytes = num_bytes


def seen(store, key, times=2):
    for _ in range(times):
        assert store.lend(key, never) is None


def never():
    raise AssertionError("captured too early, or once more")


def test_what_comes_for_the_third_time_is_captured_once_and_lent_again_when_it_was_given_back():
    store = GraphStore()
    seen(store, "a")
    loan = store.lend("a", Content)
    content = loan.content
    loan.give_back()
    assert store.lend("a", never).content is content
    assert store.num_bytes == 10


def test_what_nobody_holds_any_more_is_lent_again():
    store = GraphStore()
    seen(store, "a")
    content = store.lend("a", Content).content
    assert store.lend("a", never).content is content


def test_two_users_at_a_time_are_lent_different_ones():
    store = GraphStore()
    seen(store, "a")
    first, second = store.lend("a", Content), store.lend("a", Content)
    assert first.content is not second.content and store.num_bytes == 20
    content = second.content
    second.give_back()
    assert store.lend("a", never).content is content


def test_what_was_given_back_may_be_used_on_until_somebody_else_is_lent_it():
    store = GraphStore()
    seen(store, "a")
    loan = store.lend("a", Content)
    loan.give_back()
    assert isinstance(loan.content, Content)
    other = store.lend("a", never)
    with pytest.raises(RuntimeError, match="gone back through before.* once, or leave `cuda_graphs` off"):
        loan.content
    assert isinstance(other.content, Content)


def test_beyond_so_many_keys_those_needed_longest_ago_are_forgotten_and_counted_anew():
    store = GraphStore(max_captured=2)
    for key in "ab":
        seen(store, key)
        store.lend(key, Content)
    store.lend("a", never)
    seen(store, "c")
    store.lend("c", Content)
    assert store.num_bytes == 20
    assert store.lend("a", never) is not None
    seen(store, "b")
    assert store.lend("b", Content) is not None


def test_beyond_so_many_bytes_too_and_what_is_lent_stays():
    store = GraphStore(max_bytes=25)
    loans = []
    for key in "abc":
        seen(store, key)
        loans.append(store.lend(key, Content))
    assert store.num_bytes == 20
    assert isinstance(loans[0].content, Content)
    seen(store, "a")


def test_of_one_key_no_more_are_captured_than_there_is_room_for(caplog):
    store = GraphStore(max_bytes=25)
    seen(store, "a")
    loans = [store.lend("a", Content), store.lend("a", Content)]
    assert store.lend("a", never) is None
    loans[0].give_back()
    assert store.lend("a", never) is not None
    assert not caplog.records


def test_what_is_larger_than_all_may_be_is_captured_once_and_it_is_told(caplog):
    store = GraphStore(max_bytes=5)
    seen(store, "a")
    with caplog.at_level(logging.WARNING):
        assert store.lend("a", Content) is None
    assert store.lend("a", never) is None and store.num_bytes == 0
    (record,) = caplog.records
    assert "takes 10 bytes as a CUDA graph, and all of them may take 5" in record.getMessage()


def test_what_is_only_counted_does_not_grow_without_bound(monkeypatch):
    monkeypatch.setattr(graph_store, "MAX_COUNTED", 3)
    store = GraphStore()
    seen(store, "a")
    for key in "bcd":
        seen(store, key, times=1)
    assert len(store._entries) == 3
    seen(store, "a")


def test_where_capturing_fails_it_is_told_once_and_nothing_is_captured_any_more(caplog):
    def fail():
        raise RuntimeError("operation not permitted when stream is capturing")

    store = GraphStore()
    seen(store, "a")
    seen(store, "b")
    with caplog.at_level(logging.WARNING):
        assert store.lend("a", fail) is None
        assert store.lend("a", never) is None and store.lend("b", never) is None
    (record,) = caplog.records
    assert record.getMessage().endswith("RuntimeError: operation not permitted when stream is capturing")


def test_running_out_of_memory_is_raised_with_what_to_do():
    def fail():
        raise torch.OutOfMemoryError("CUDA out of memory.")

    store = GraphStore()
    seen(store, "a")
    with pytest.raises(OutOfMemory, match="Make batches smaller .* or leave `cuda_graphs` off .*CUDA out of memory"):
        store.lend("a", fail)


def test_a_copy_is_empty_and_has_the_same_bounds():
    store = GraphStore(max_bytes=100, max_captured=3)
    seen(store, "a")
    loan = store.lend("a", Content)
    for other in (copy.deepcopy(store), pickle.loads(pickle.dumps(store))):
        assert (other.num_bytes, other.max_bytes, other.max_captured) == (0, 100, 3)
        seen(other, "a")
    assert loan is not None


def test_threads_are_lent_different_ones():
    store = GraphStore()
    seen(store, "a")
    with ThreadPoolExecutor(8) as threads:
        loans = list(threads.map(lambda number: store.lend("a", Content), range(8)))
    assert len({id(loan.content) for loan in loans}) == 8


def test_a_store_is_in_use_inside_its_context_only():
    store, other = GraphStore(), GraphStore()
    assert current_store() is None
    with captured_in(store):
        with captured_in(other):
            assert current_store() is other
        with captured_in(None):
            assert current_store() is None
        assert current_store() is store
    assert current_store() is None
