import pytest

from elmo_plugin.data.dataset_readers.windows import choose, cut


@pytest.mark.parametrize(
    "num_tokens, windows",
    [
        (1, [(0, 1)]),
        (10, [(0, 10)]),
        (11, [(0, 10), (6, 11)]),
        (16, [(0, 10), (6, 16)]),
        (17, [(0, 10), (6, 16), (12, 17)]),
    ],
)
def test_windows_begin_every_stride_until_one_ends_with_the_passage(num_tokens, windows):
    assert cut(num_tokens, window=10, stride=6) == windows


@pytest.mark.parametrize("window, stride", [(1, 1), (5, 5), (5, 1), (7, 3), (400, 200)])
def test_every_token_is_in_a_window_and_every_short_span_whole_in_one(window, stride):
    for num_tokens in range(1, 60):
        windows = cut(num_tokens, window, stride)
        length = window - stride + 1
        for first in range(max(1, num_tokens - length + 1)):
            last = min(first + length, num_tokens) - 1
            assert any(start <= first and last < end for start, end in windows)
        assert all(0 <= start < end <= num_tokens and end - start <= window for start, end in windows)


WINDOWS = cut(40, window=10, stride=6)
# (0, 10) (6, 16) (12, 22) (18, 28) (24, 34) (30, 40)


def test_the_windows_of_the_answers_are_chosen():
    assert choose(WINDOWS, [(7, 8)], window=10, num_windows=1) == [(0, 10), (6, 16)]
    assert choose(WINDOWS, [(20, 21), (38, 39)], window=10, num_windows=1) == [(12, 22), (18, 28), (30, 40)]


def test_neighbours_are_added_up_to_the_number_that_is_wanted():
    assert choose(WINDOWS, [(11, 11)], window=10, num_windows=3) == [(0, 10), (6, 16), (12, 22)]
    assert choose(WINDOWS, [(11, 11)], window=10, num_windows=100) == WINDOWS


def test_an_answer_that_every_border_cuts_gets_a_window_of_its_own():
    for first in range(0, 32):
        chosen = choose(WINDOWS, [(first, first + 8)], window=10, num_windows=1)
        assert any(start <= first and first + 8 < end for start, end in chosen)
        assert all(0 <= start and end <= 40 and end - start == 10 for start, end in chosen)
