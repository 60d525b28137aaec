"""How a preparation is done, and how it tells how far it is."""

from dataclasses import dataclass, field
from typing import Any, Iterable, Optional

ENGINES = ("processes", "ray")


class Progress:
    """Told of each stage and of each step in it; this one keeps it to itself."""

    def begin(self, title: str, total: Optional[int], unit: str) -> None:
        """
        # Parameters

        title : `str`
        total : `int`, optional
            How much there is to do in this stage; `None` if that is unknown.
        unit : `str`
            What is counted, `B` for bytes.
        """

    def reach(self, done: int) -> None:
        """
        # Parameters

        done : `int`
            How much of the stage is done.
        """

    def end(self) -> None:
        """The stage is over."""

    def follow(self, title: str, total: int, unit: str, results: Iterable[Any]) -> None:
        """A stage of `total` steps, each of which is done when its result comes; the results are dropped."""
        self.begin(title, total, unit)
        for done, _ in enumerate(results, start=1):
            self.reach(done)
        self.end()


@dataclass(frozen=True)
class Work:
    """
    How a preparation is done; its result does not depend on it.

    # Parameters

    strict : `bool`
        Stop at the first line that cannot be used, instead of counting and skipping it.
    force : `bool`
        Replace the output if it exists.
    processes : `int`
        How many this machine uses.
    engine : `str`
        `processes` of this machine, or `ray`.
    ray_address : `str`, optional
        Of a running Ray cluster, all processors of which are used; `None` starts one of `processes` processors.
    progress : `Progress`
    """

    strict: bool = False
    force: bool = False
    processes: int = 1
    engine: str = "processes"
    ray_address: Optional[str] = None
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise ValueError(f"processes: expected at least 1; got {self.processes}.")
        if self.engine not in ENGINES:
            raise ValueError(f"engine: expected one of {', '.join(ENGINES)}; got '{self.engine}'.")
        if self.ray_address is not None and self.engine != "ray":
            raise ValueError("ray_address: matters for the engine ray only; choose that engine, or give no address.")
