"""
Windows: a passage of any length as pieces that the square of attention can afford.
"""

from typing import List, Sequence, Tuple

Window = Tuple[int, int]
Span = Tuple[int, int]


def cut(num_tokens: int, window: int, stride: int) -> List[Window]:
    """
    The windows of a passage, `(first token, token after the last)`: one begins every `stride` tokens, until one ends
    with the passage. All are `window` long but the last, which is shorter.
    """
    windows = [(0, min(window, num_tokens))]
    while windows[-1][1] < num_tokens:
        start = windows[-1][0] + stride
        windows.append((start, min(start + window, num_tokens)))
    return windows


def choose(windows: Sequence[Window], spans: Sequence[Span], window: int, num_windows: int) -> List[Window]:
    """
    The windows to train on: all that hold a whole answer, and, up to `num_windows`, others, those nearest to the
    answers first. An answer that the border of every window cuts gets a window of its own, with the answer in its
    middle.

    Only the answers that fit into a window count; there must be one of them.

    # Parameters

    spans : the answers' first and last tokens.
    """
    num_tokens = windows[-1][1]
    chosen = set()
    for first, last in spans:
        holding = [piece for piece in windows if piece[0] <= first and last < piece[1]]
        if not holding and last - first < window:
            start = max(0, min(first - (window - (last - first + 1)) // 2, num_tokens - window))
            holding = [(start, start + window)]
        chosen.update(holding)
    first_starts = [start for start, _ in chosen]
    by_distance = sorted(windows, key=lambda piece: min(abs(piece[0] - start) for start in first_starts))
    for piece in by_distance:
        if len(chosen) < num_windows:
            chosen.add(piece)
    return sorted(chosen)
