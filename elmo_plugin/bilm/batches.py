"""Which sentences are read together."""

from typing import List, NamedTuple, Optional, Sequence

DEFAULT_TOKEN_BUDGET = 4096


class Batching(NamedTuple):
    """
    How large a batch may be.

    batch_size : sentences; `None` for any number.
    token_budget : tokens, `<S>`, `</S>` and padding included; `None` for any number. A longer sentence is a batch of
        its own.
    """

    batch_size: Optional[int] = None
    token_budget: Optional[int] = DEFAULT_TOKEN_BUDGET

    def check(self) -> None:
        """
        # Raises

        `ValueError` for a size below 1.
        """
        for name, value in (("batch_size", self.batch_size), ("token_budget", self.token_budget)):
            if value is not None and value < 1:
                raise ValueError(f"`{name}` (--{name.replace('_', '-')}) must be at least 1, but it is {value}.")


def batches_in_order(num_sentences: int, batch_size: int) -> List[List[int]]:
    """Batches of sentences in the order of the text, all of `batch_size` but the last."""
    return [list(range(start, min(start + batch_size, num_sentences))) for start in range(0, num_sentences, batch_size)]


def batches_by_length(lengths: Sequence[int], batching: Batching) -> List[List[int]]:
    """
    Batches of sentences of like length, longest first, so that memory runs out at once or never.

    # Parameters

    lengths : words of each sentence.
    """
    batches: List[List[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        longest = lengths[batches[-1][0]] if batches else 0
        if not batches or _is_full(len(batches[-1]), longest + 2, batching):
            batches.append([])
        batches[-1].append(index)
    return batches


def _is_full(num_rows: int, num_steps: int, batching: Batching) -> bool:
    if batching.batch_size is not None and num_rows >= batching.batch_size:
        return True
    return batching.token_budget is not None and (num_rows + 1) * num_steps > batching.token_budget
