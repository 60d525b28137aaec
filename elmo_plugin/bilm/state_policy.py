"""Where the state before a sentence comes from, when a biLM reads sentences for a task."""

from typing import Optional

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.state import BilmState, put_rows, with_batch_size

ZERO, STATEFUL, STEADY = "zero", "stateful", "steady"
STATE_POLICIES = (ZERO, STATEFUL, STEADY)


def state_before(
    policy: str,
    bilm: Bilm,
    batch_size: int,
    carried: Optional[BilmState],
    steady: Optional[BilmState],
) -> BilmState:
    """
    The state before each row of a batch.

    # Parameters

    policy : `"zero"`: zeros. `"steady"`: one stored state, the same for every row (`steady_state.py`). Both make a
        sentence's vectors its own, whatever was read before. `"stateful"`: row by row what the batch before left
        behind, as bilm-tf and AllenNLP do.
    carried : what `state_after` gave for the batch before; `None` at first.
    steady : of one row.
    """
    if policy == STEADY:
        return steady.repeat_rows(batch_size)
    zero = bilm.zero_state(batch_size)
    if policy == STATEFUL and carried is not None:
        # The model may have moved to another device since.
        return with_batch_size(carried.to(zero.forward_.hidden), batch_size)
    return zero


def state_after(policy: str, carried: Optional[BilmState], new: BilmState) -> Optional[BilmState]:
    """What is to be carried on; `None` where nothing is."""
    return put_rows(carried, new.detach()) if policy == STATEFUL else None
