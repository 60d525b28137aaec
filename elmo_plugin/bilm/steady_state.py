"""
A good beginning for a sentence that stands alone: what the LSTMs hold after `</S>` in running text.

A biLM never saw the zero state except at the very start of its training. The steady state is the mean of its states
after many sentences of running text, each batch row carrying its state along.
"""

from typing import Iterator, List, Sequence

import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.state import BilmState

# A few sentences of plain English, for weights that come without a steady state of their own. Only the rough shape
# of running text matters: ends of sentences after ordinary words.
RUNNING_TEXT: List[List[str]] = [
    sentence.split()
    for sentence in (
        "The river was high after the rain , and nobody wanted to cross it .",
        "She had opened the window before the others came down to breakfast .",
        "Prices rose again in March , the third month in a row .",
        "He said that the work would take two more years .",
        "In the north of the country the winters are long and dry .",
        "What do you think they will do about it ?",
        "The museum holds about four thousand letters , most of them unread .",
        "It was not until the evening that the first results were known .",
    )
]


def compute_steady_state(
    bilm: Bilm, sentences: Sequence[Sequence[str]], num_rows: int = 8, num_rounds: int = 4
) -> BilmState:
    """
    The mean over rows and rounds of the state after each sentence.

    The text is read `num_rounds` times; the states after the first round, still under the spell of the zero state,
    do not count.

    # Parameters

    bilm : a model that reads characters.
    sentences : running text, a few sentences or more.

    # Returns

    A state of one row.
    """
    was_training = bilm.training
    bilm.eval()
    rows = [list(sentences[start::num_rows]) for start in range(min(num_rows, len(sentences)))]
    depth = min(len(row) for row in rows)
    state, total, count = bilm.zero_state(len(rows)), None, 0
    with torch.no_grad():
        for number, words in enumerate(_batches(bilm, rows, depth, max(2, num_rounds))):
            _, state = bilm.represent(words, state)
            if number >= depth:
                mean = state.map(lambda tensor: tensor.mean(dim=1, keepdim=True))
                total = mean if total is None else total.map(torch.add, mean)
                count += 1
    bilm.train(was_training)
    return total.map(lambda tensor: tensor / count)


def _batches(bilm: Bilm, rows: List[List[Sequence[str]]], depth: int, num_rounds: int) -> Iterator[torch.Tensor]:
    width = bilm.options.max_characters
    for number in range(num_rounds * depth):
        batch = [row[number % depth] for row in rows]
        words = bilm.boundaries.new_zeros(len(batch), max(map(len, batch)), width)
        for row, sentence in enumerate(batch):
            words[row, : len(sentence)] = torch.from_numpy(words_to_characters(sentence, width))
        yield words
