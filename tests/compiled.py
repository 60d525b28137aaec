"""What the tests of the program in C share."""

from contextlib import nullcontext
from typing import ContextManager, Optional

import pytest

from elmo_plugin.bilm.ops.compiled_program import FILES, Program, load, why_not
from elmo_plugin.bilm.ops.dispatch import forced

# Those that can run here, by what they were compiled for.
PROGRAMS = {name: found for name, found in ((name, load(name)) for name in FILES) if isinstance(found, Program)}

runs_here = pytest.mark.skipif(why_not() is not None, reason=f"the compiled program can't run: {why_not()}")


def forced_if(implementation: Optional[str]) -> ContextManager[None]:
    """`forced(implementation)`, or nothing for `None`."""
    return nullcontext() if implementation is None else forced(implementation)
