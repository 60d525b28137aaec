import pytest
import torch

from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.ops.char_convolutions import char_convolutions
from elmo_plugin.bilm.ops.fixed_rows import (
    NUM_ROWS,
    char_convolutions_fixed,
    in_blocks,
    linear_fixed,
    projected_lstms_fixed,
)
from elmo_plugin.bilm.ops.projected_lstm import Chain, projected_lstms

ROWS_PER_STEP = [40] * 3 + [33, 33, 20, 20, 1]
CLIPS = pytest.mark.parametrize("clips", [(0.5, 0.2), (None, None)])


def chain(projection_dim=5, cell_dim=7, num_rows=40):
    torch.manual_seed(1)
    shapes = [(sum(ROWS_PER_STEP), 4 * cell_dim), (num_rows, projection_dim), (num_rows, cell_dim)]
    shapes += [(4 * cell_dim, projection_dim), (projection_dim, cell_dim)]
    return Chain(*(torch.randn(shape) for shape in shapes))


def test_a_linear_layer_is_that_of_torch_and_each_row_its_own():
    torch.manual_seed(0)
    rows, weight, bias = torch.randn(70, 12), torch.randn(9, 12), torch.randn(9)
    found = linear_fixed(rows, weight, bias)
    torch.testing.assert_close(found, torch.nn.functional.linear(rows, weight, bias))
    assert all(torch.equal(linear_fixed(rows[i : i + 1], weight, bias)[0], found[i]) for i in range(70))


@CLIPS
def test_the_recurrence_is_the_plain_one(clips):
    one, other = chain(), chain()._replace(input_gates=chain().input_gates.flip(0))
    for found, expected in zip(
        projected_lstms_fixed([one, other], ROWS_PER_STEP, *clips), projected_lstms([one, other], ROWS_PER_STEP, *clips)
    ):
        for tensor, of_plain in zip(found, expected):
            torch.testing.assert_close(tensor, of_plain, atol=1e-5, rtol=1e-5)


@CLIPS
@pytest.mark.parametrize("widths", [(8, 12), (8, 2100)])
def test_a_row_of_the_recurrence_is_the_same_alone(clips, widths):
    whole = chain(*widths)
    (together,) = projected_lstms_fixed([whole], ROWS_PER_STEP, *clips)
    for row in (0, 7, 19, 20, 31, 32, 33, 39):
        num_steps = sum(num_rows > row for num_rows in ROWS_PER_STEP)
        places = [sum(ROWS_PER_STEP[:step]) + row for step in range(num_steps)]
        alone = whole._replace(
            input_gates=whole.input_gates[places],
            hidden=whole.hidden[row : row + 1],
            memory=whole.memory[row : row + 1],
        )
        (found,) = projected_lstms_fixed([alone], [1] * num_steps, *clips)
        assert torch.equal(found.outputs, together.outputs[places])
        assert torch.equal(found.hidden[0], together.hidden[row]) and torch.equal(found.memory[0], together.memory[row])


def test_a_row_without_steps_keeps_its_state():
    (found,) = projected_lstms_fixed([chain(num_rows=45)], ROWS_PER_STEP, None, None)
    assert torch.equal(found.hidden[40:], chain(num_rows=45).hidden[40:])
    assert torch.equal(found.memory[40:], chain(num_rows=45).memory[40:])


@pytest.mark.parametrize("max_characters", [10, 50])
def test_the_convolutions_are_the_plain_ones_and_each_word_its_own(max_characters):
    torch.manual_seed(0)
    words = ["a", "of", "house", "Bücher", "x" * 60, "<S>", *(f"word{number}" * (number % 9) for number in range(60))]
    characters = torch.from_numpy(words_to_characters(words, max_characters))
    embedding = torch.randn(262, 3)
    weights = [torch.randn(num_filters, 3, width) for width, num_filters in ((1, 3), (4, 5), (2, 4))]
    biases = [torch.randn(num_filters) for num_filters in (3, 5, 4)]
    found = char_convolutions_fixed(characters, embedding, weights, biases)
    torch.testing.assert_close(found, char_convolutions(characters, embedding, weights, biases), atol=1e-5, rtol=1e-5)
    for row in (0, 3, 4, 31, 32, 65):
        alone = char_convolutions_fixed(characters[row : row + 1], embedding, weights, biases)
        assert torch.equal(alone[0], found[row])


def test_blocks_are_always_full():
    seen = []

    def double(rows):
        seen.append(len(rows))
        return rows * 2

    assert torch.equal(in_blocks(double, torch.arange(70)), torch.arange(70) * 2)
    assert seen == [NUM_ROWS] * 3
