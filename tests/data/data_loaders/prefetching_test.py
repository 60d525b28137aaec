import threading
import time

import pytest

from elmo_plugin.data.data_loaders.prefetching import prefetched


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("prefetched")]


@pytest.mark.parametrize("count", [1, 2, 50])
def test_the_items_are_the_same_in_the_same_order(count):
    assert list(prefetched(iter(range(20)), count)) == list(range(20))
    assert list(prefetched(iter([]), count)) == []
    assert threads() == []


def test_none_is_an_item_like_any_other():
    assert list(prefetched(iter([None, 0, None]), 2)) == [None, 0, None]


def test_another_thread_makes_them_up_to_so_many_ahead():
    made = []

    def items():
        for number in range(10):
            made.append((number, threading.current_thread()))
            yield number

    ahead = prefetched(items(), 3)
    assert next(ahead) == 0
    deadline = time.monotonic() + 120
    while len(made) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    # The one that was taken and three more.
    assert [number for number, _ in made] == [0, 1, 2, 3]
    assert {thread for _, thread in made} == set(threads()) != {threading.current_thread()}
    ahead.close()


def test_an_error_comes_in_the_place_of_its_item():
    def items():
        yield 1
        yield 2
        raise ValueError("broken")

    ahead = prefetched(items(), 5)
    assert [next(ahead), next(ahead)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(ahead)
    assert threads() == []


def test_the_thread_ends_with_an_iteration_that_is_given_up():
    def endless():
        while True:
            yield 1

    ahead = prefetched(endless(), 4)
    next(ahead)
    assert len(threads()) == 1
    ahead.close()
    assert threads() == []
