"""How a preparation tells how far it is."""

from typing import Optional


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
