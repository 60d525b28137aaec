"""From passages to windows, and from what windows say back to passages."""

from typing import NamedTuple, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.nn.util import min_value_of_dtype
from torch import Tensor


class PassageWindows(NamedTuple):
    """
    Windows of a batch of passages. `num_windows` counts those of the whole batch, `num_slots` is the most that a
    passage has.

    owners : which passage a window is of. Shape: (num_windows,)
    slots : which of that passage's windows it is. Shape: (num_windows,)
    positions : where each token of a window stands in the passage, 0 where there is none.
        Shape: (num_windows, num_tokens)
    mask : where there is one. Shape: (num_windows, num_tokens), `bool`
    batch_size, num_slots, passage_length : `int`
    """

    owners: Tensor
    slots: Tensor
    positions: Tensor
    mask: Tensor
    batch_size: int
    num_slots: int
    passage_length: int

    @classmethod
    def of(cls, windows: Tensor, passage_mask: Tensor) -> "PassageWindows":
        """
        # Parameters

        windows : first token and the one after the last; the two are equal where there is no window.
            Shape: (batch_size, num_slots, 2)
        passage_mask : Shape: (batch_size, passage_length)

        # Raises

        `ConfigurationError` where a passage has no window.
        """
        lengths = windows[..., 1] - windows[..., 0]
        check_none_empty("passage", lengths > 0)
        owners, slots = (lengths > 0).nonzero(as_tuple=True)
        steps = torch.arange(int(lengths.max()), device=windows.device)
        inside = steps < lengths[owners, slots].unsqueeze(1)
        positions = (windows[owners, slots, 0].unsqueeze(1) + steps) * inside
        mask = inside & passage_mask[owners.unsqueeze(1), positions]
        return cls(owners, slots, positions, mask, windows.size(0), windows.size(1), passage_mask.size(1))

    def gather(self, passages: Tensor) -> Tensor:
        """Shape: (batch_size, passage_length, dim) to (num_windows, num_tokens, dim)"""
        return passages[self.owners.unsqueeze(1), self.positions]

    def log_probabilities(self, scores: Tensor) -> Tensor:
        """
        Softmax over all tokens of all windows of a passage (Clark and Gardner's shared norm), so that the windows of a
        passage can be compared; what is masked has next to nothing of it.

        Shape: (num_windows, num_tokens) to (batch_size, num_slots, num_tokens)
        """
        shape = (self.batch_size, self.num_slots, scores.size(1))
        scores = scores.float().masked_fill(~self.mask, min_value_of_dtype(torch.float32))
        everywhere = scores.new_full(shape, min_value_of_dtype(torch.float32))
        everywhere = everywhere.index_put((self.owners, self.slots), scores)
        return torch.log_softmax(everywhere.flatten(1), dim=1).view(shape)

    def over_passages(self, log_probabilities: Tensor) -> Tensor:
        """
        Probabilities of the passages' tokens: those of a token that several windows have are summed.

        Shape: (batch_size, num_slots, num_tokens) to (batch_size, passage_length)
        """
        of_windows = log_probabilities[self.owners, self.slots].exp() * self.mask
        result = of_windows.new_zeros(self.batch_size, self.passage_length)
        return result.index_put((self.owners.unsqueeze(1), self.positions), of_windows, accumulate=True)

    def span_ends(self, spans: Tensor) -> Tuple[Tensor, Tensor]:
        """
        Where spans of the passages begin and where they end, in each window that holds a whole one.

        # Parameters

        spans : first and last token, -1 where there is none. Shape: (batch_size, num_spans, 2)

        # Returns

        Shapes: (batch_size, num_slots, num_tokens), twice, `bool`
        """
        num_tokens = self.mask.size(1)
        # Shape: (num_windows, num_spans)
        starts = spans[self.owners, :, 0] - self.positions[:, :1]
        ends = spans[self.owners, :, 1] - self.positions[:, :1]
        is_whole = (spans[self.owners, :, 0] >= 0) & (starts >= 0) & (ends < self.mask.sum(dim=1, keepdim=True))
        steps = torch.arange(num_tokens, device=spans.device)
        result = []
        for places in (starts, ends):
            # Shape: (num_windows, num_tokens)
            found = ((places.unsqueeze(-1) == steps) & is_whole.unsqueeze(-1)).any(dim=1)
            everywhere = found.new_zeros(self.batch_size, self.num_slots, num_tokens)
            everywhere[self.owners, self.slots] = found
            result.append(everywhere)
        return result[0], result[1]


def check_none_empty(name: str, mask: Tensor) -> None:
    """
    # Parameters

    name : of the texts.
    mask : where a text has something. Shape: (batch_size, …)

    # Raises

    `ConfigurationError` where a row has nothing.
    """
    is_empty = ~mask.any(dim=1)
    if bool(is_empty.any()):
        raise ConfigurationError(
            f"The {name} of question {is_empty.nonzero()[0].item()} of the batch (from 0) has no token, so there is "
            f"nothing to read. Leave such questions out, as the reader elmo_reading_comprehension does."
        )


def best_spans(starts: Tensor, ends: Tensor, max_length: int) -> Tuple[Tensor, Tensor]:
    """
    The most probable spans: those with the greatest `starts[i] * ends[j]`, `i <= j < i + max_length`.

    # Parameters

    starts, ends : probabilities. Shapes: (batch_size, passage_length)

    # Returns

    First and last tokens, shape (batch_size, 2), and the products, shape (batch_size,).
    """
    batch_size, passage_length = starts.shape
    width = min(max_length, passage_length)
    # Shape: (batch_size, passage_length, width); [b, i, k] is the end at token i + k
    ends_behind = torch.nn.functional.pad(ends, (0, width - 1)).unfold(1, width, 1)
    products = (starts.unsqueeze(-1) * ends_behind).reshape(batch_size, -1)
    best, places = products.max(dim=1)
    first = places // width
    return torch.stack([first, first + places % width], dim=1), best


def negative_log_likelihood(log_probabilities: Tensor, is_correct: Tensor) -> Tensor:
    """
    `-log sum p` over the correct places, each of which will do; its mean over the questions that have one, 0 (with a
    gradient of 0) if none has.

    Shapes: (batch_size, num_slots, num_tokens), twice, to ()
    """
    has_one = is_correct.flatten(1).any(dim=1)
    correct = log_probabilities.masked_fill(~is_correct, min_value_of_dtype(log_probabilities.dtype))
    of_questions = -torch.logsumexp(correct.flatten(1)[has_one], dim=1)
    return of_questions.sum() / max(1, of_questions.numel())
