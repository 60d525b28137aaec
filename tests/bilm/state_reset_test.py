import torch

from elmo_plugin.bilm.state import BilmState, LstmState, with_rows_reset


def ones(batch_size: int) -> BilmState:
    return BilmState(*(LstmState(torch.ones(2, batch_size, 3), torch.ones(2, batch_size, 5)) for _ in range(2)))


def test_a_row_is_reset_whole_in_both_directions_and_all_layers_or_not_at_all():
    torch.manual_seed(1)
    state = with_rows_reset(ones(2000), 0.25)
    # Shape: (batch_size, everything else)
    rows = torch.cat([tensor.transpose(0, 1).flatten(1) for direction in state for tensor in direction], dim=1)
    assert set(rows.mean(dim=1).tolist()) == {0.0, 1.0}
    assert 0.2 < (rows[:, 0] == 0).float().mean() < 0.3


def test_probabilities_zero_and_one_reset_none_and_all():
    assert with_rows_reset(ones(50), 0.0).forward_.memory.all()
    assert not with_rows_reset(ones(50), 1.0).backward_.hidden.any()
