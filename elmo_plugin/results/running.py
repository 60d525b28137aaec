"""Trainings run in processes of their own, one after the other or side by side, gone on with after a stop."""

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable, List, Sequence

from elmo_plugin.results.machines import environment_of_trainings, this_machine
from elmo_plugin.results.row import command_of
from elmo_plugin.results.trainings import Training, checked_record, write_record

# Seconds between looks at what runs, and that a training has for its end before it is killed.
_PAUSE, _PATIENCE = 0.1, 10.0
# As Python ends a traceback, and as a command says what is wrong.
_ERROR = re.compile(r"[\w.]*(Error|Exception|Interrupt|OutOfMemory|Received)\b|.*: error: ")


class Attempt:
    """
    A training that runs: from its last checkpoint, where there is one.

    # Parameters

    training : `Training`
    program : `Sequence[str]`
        How `allennlp` is called, the arguments of `train` not included.
    at_once : `int`
        How many may run side by side.
    """

    def __init__(self, training: Training, program: Sequence[str], at_once: int) -> None:
        self.training = training
        self._record = {**checked_record(training), "machine": this_machine(at_once)}
        training.folder.parent.mkdir(parents=True, exist_ok=True)
        write_record(training, self._record)
        command = command_of(training.arm, training.seed, str(training.folder))
        again = _flags_to_go_on(training.folder)
        self.shown = " ".join([*program, *command[:-1], "…", *again])
        self._begin = training.log().stat().st_size if training.log().exists() else 0
        self._began = time.monotonic()
        with training.log().open("ab") as log:
            environment = environment_of_trainings(at_once)
            self._process = subprocess.Popen(
                [*program, *command, *again], stdout=log, stderr=subprocess.STDOUT, env=environment
            )

    def is_over(self) -> bool:
        return self._process.poll() is not None

    def finish(self) -> None:
        """
        Writes the time that it took, once it is over.

        # Raises

        `ValueError` where it failed.
        """
        self._record["seconds"] += time.monotonic() - self._began
        code = self._process.returncode
        write_record(self.training, self._record, is_done=code == 0)
        if code != 0:
            raise ValueError(
                f"The training in {self.training.folder} failed with exit status {code}: "
                f"{last_error(self.training.log(), self._begin)}\n"
                f"  Its output is in {self.training.log()}; when the cause is gone, give the same command again."
            )

    def ask_to_stop(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def stop(self) -> None:
        """Waits for one that was asked to stop, and kills it where it does not."""
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._record["seconds"] += time.monotonic() - self._began
        write_record(self.training, self._record)


def run(
    trainings: Sequence[Training],
    program: Sequence[str],
    log: Callable[[str], None],
    at_once: int = 1,
    done: Callable[[Training], None] = lambda training: None,
) -> None:
    """
    Trains what is not done already. Where one fails, those that run beside it are waited for, and no other is begun.
    Whatever else ends it, such as Ctrl-C, ends what runs too.

    # Parameters

    trainings : `Sequence[Training]`
    program : `Sequence[str]`
        How `allennlp` is called, the arguments of `train` not included.
    log : `Callable[[str], None]`
        Takes a line to show.
    at_once : `int`
        How many run side by side.
    done : `Callable[[Training], None]`
        Takes each training when it is done.

    # Raises

    `ValueError` where a folder holds a training of other settings, or where a training fails.
    """
    for training in trainings:
        checked_record(training)
    waiting = [training for training in trainings if not training.is_done()]
    running: List[Attempt] = []
    failures: List[str] = []
    try:
        while running or (waiting and not failures):
            while waiting and not failures and len(running) < at_once:
                running.append(Attempt(waiting.pop(0), program, at_once))
                log(running[-1].shown)
            over = next((attempt for attempt in running if attempt.is_over()), None)
            if over is None:
                time.sleep(_PAUSE)
                continue
            running.remove(over)
            try:
                over.finish()
            except ValueError as error:
                failures.append(str(error))
            else:
                done(over.training)
    finally:
        for attempt in running:
            attempt.ask_to_stop()
        try:
            for attempt in running:
                attempt.stop()
        finally:
            # Asked a second time to end, there is no more waiting.
            for attempt in running:
                attempt.kill()
    if failures:
        raise ValueError("\n".join(failures))


def last_error(log: Path, begin: int) -> str:
    """The last line of a log, from a byte on, that names an error; without one, the last that says anything."""
    with log.open("rb") as file:
        file.seek(begin)
        text = file.read().decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if _ERROR.match(line)]
    return (errors or lines or ["it said nothing."])[-1]


def allennlp_program() -> List[str]:
    """This interpreter's `allennlp` with the plugin."""
    return [sys.executable, "-m", "elmo_plugin"]


def _flags_to_go_on(folder: Path) -> List[str]:
    if any(folder.glob("training_state_*.th")):
        return ["--recover"]
    return ["--force"] if folder.exists() else []
