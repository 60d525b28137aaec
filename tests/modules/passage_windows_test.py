import pytest
import torch
from allennlp.common.checks import ConfigurationError

from elmo_plugin.modules.passage_windows import (
    PassageWindows,
    best_spans,
    check_none_empty,
    negative_log_likelihood,
)

# Two passages: of 5 tokens in two windows, of 2 tokens in one.
WINDOWS = torch.tensor([[[0, 3], [2, 5]], [[0, 2], [0, 0]]])
MASK = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]).bool()
PIECES = PassageWindows.of(WINDOWS, MASK)
# Scores of the three windows' tokens.
SCORES = torch.tensor([[1.0, 2.0, 0.5], [0.0, -1.0, 3.0], [1.5, 0.5, 100.0]])


def test_windows_are_gathered_and_those_that_are_none_left_out():
    passages = torch.arange(10.0).view(2, 5, 1)
    assert PIECES.owners.tolist() == [0, 0, 1] and PIECES.slots.tolist() == [0, 1, 0]
    gathered = PIECES.gather(passages).squeeze(-1)
    assert [row[mask].tolist() for row, mask in zip(gathered, PIECES.mask)] == [[0, 1, 2], [2, 3, 4], [5, 6]]


def test_all_windows_of_a_passage_share_one_softmax():
    logs = PIECES.log_probabilities(SCORES)
    expected = torch.log_softmax(torch.cat([SCORES[0], SCORES[1]]), dim=0)
    torch.testing.assert_close(logs[0].flatten(), expected)
    torch.testing.assert_close(logs[1, 0, :2], torch.log_softmax(SCORES[2, :2], dim=0))
    assert logs[1, 0, 2] < -1e30 and (logs[1, 1] < -1e30).all()


def test_a_token_of_several_windows_has_the_sum_of_their_probabilities():
    over = PIECES.over_passages(PIECES.log_probabilities(SCORES))
    p = torch.softmax(torch.cat([SCORES[0], SCORES[1]]), dim=0)
    torch.testing.assert_close(over[0], torch.stack([p[0], p[1], p[2] + p[3], p[4], p[5]]))
    torch.testing.assert_close(over.sum(dim=1), torch.ones(2))
    assert (over[1, 2:] == 0).all()


def test_a_span_is_found_in_every_window_that_holds_all_of_it():
    spans = torch.tensor([[[2, 2], [1, 3], [3, 4]], [[1, 1], [-1, -1], [-1, -1]]])
    starts, ends = PIECES.span_ends(spans)
    # (1, 3) is whole in neither window.
    assert starts[0].tolist() == [[False, False, True], [True, True, False]]
    assert ends[0].tolist() == [[False, False, True], [True, False, True]]
    assert starts[1].nonzero().tolist() == ends[1].nonzero().tolist() == [[0, 1]]


def test_the_loss_sums_over_correct_places_and_means_over_questions_that_have_one():
    logs = PIECES.log_probabilities(SCORES)
    correct, _ = PIECES.span_ends(torch.tensor([[[2, 2], [3, 4]], [[-1, -1], [-1, -1]]]))
    probabilities = logs[0].exp()
    expected = -torch.log(probabilities[0, 2] + probabilities[1, 0] + probabilities[1, 1])
    torch.testing.assert_close(negative_log_likelihood(logs, correct), expected)


def test_without_a_correct_place_the_loss_is_zero_and_has_a_gradient():
    scores = SCORES.clone().requires_grad_()
    none = torch.zeros(2, 2, 3, dtype=torch.bool)
    loss = negative_log_likelihood(PIECES.log_probabilities(scores), none)
    loss.backward()
    assert loss.item() == 0.0 and (scores.grad == 0).all()


def test_probabilities_far_below_the_smallest_number_still_have_a_finite_loss_and_gradient():
    scores = torch.tensor([[0.0, 0.0, 0.0], [0.0, -500.0, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    correct, _ = PIECES.span_ends(torch.tensor([[[3, 3]], [[0, 0]]]))
    loss = negative_log_likelihood(PIECES.log_probabilities(scores), correct)
    loss.backward()
    assert loss.item() == pytest.approx((500 + torch.log(torch.tensor(5.0)) + torch.log(torch.tensor(2.0))) / 2)
    assert torch.isfinite(scores.grad).all()


@pytest.mark.parametrize("max_length", [1, 3, 100])
def test_the_best_span_is_that_of_all_spans(max_length):
    torch.manual_seed(3)
    starts, ends = torch.softmax(torch.randn(6, 7), dim=1), torch.softmax(torch.randn(6, 7), dim=1)
    spans, products = best_spans(starts, ends, max_length)
    for row in range(6):
        allowed = {
            (i, j): (starts[row, i] * ends[row, j]).item() for i in range(7) for j in range(i, min(7, i + max_length))
        }
        best = max(allowed, key=allowed.get)
        assert tuple(spans[row].tolist()) == best
        assert products[row].item() == pytest.approx(allowed[best])


def test_a_passage_without_a_window_is_an_error():
    with pytest.raises(ConfigurationError, match="The passage of question 1 of the batch .* has no token"):
        PassageWindows.of(torch.tensor([[[0, 3]], [[0, 0]]]), MASK)
    with pytest.raises(ConfigurationError, match="The question of question 0 of the batch"):
        check_none_empty("question", torch.zeros(1, 0, dtype=torch.bool))
