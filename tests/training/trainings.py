"""Real trainings of a tiny biLM for tests, in one process or several; see forked_training.py."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

# A model in which nothing is random, so that trainings can be compared, of widths that the program in C takes.
TINY: Dict[str, Any] = {
    "model.options.lstm.dim": 32,
    "model.options.lstm.projection_dim": 16,
    "model.options.char_cnn.filters": [[1, 16], [2, 16]],
    "model.dropout": 0.0,
    "model.state_reset": 0.0,
    "data_loader.batch_size": 8,
    "data_loader.num_steps": 10,
    "validation_data_loader.batch_size": 8,
    "trainer.num_epochs": 2,
    "trainer.checkpointer": {"type": "elmo_whole", "keep_most_recent_by_count": 100},
    "trainer.callbacks": [{"type": "elmo_resume"}, {"type": "losses_to_file"}],
}
TWO_WORKERS: Dict[str, Any] = {"distributed": {"cuda_devices": [-1, -1]}}


def checkpoints(**settings: Any) -> Dict[str, Any]:
    return {"trainer.checkpointer": {**TINY["trainer.checkpointer"], **settings}}


class Step(NamedTuple):
    """windows_made : how many the process had made of text since it was started."""

    epoch: int
    number: int
    loss: str
    windows_made: int


class Training:
    def __init__(self, trainer: "Trainer", folder: Path, process: int) -> None:
        self.trainer, self.folder, self.process = trainer, folder, process

    def wait(self) -> int:
        return self.trainer.ask({"wait": self.process})

    def kill(self) -> None:
        """All processes at once."""
        os.killpg(self.process, signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL

    def succeed(self) -> "Training":
        assert self.wait() == 0, self.log()[-4000:]
        return self

    def log(self) -> str:
        return (self.folder / "log.txt").read_text()

    def kill_after(self, num_steps: int, seconds: float = 0.0) -> None:
        """Kills it some time after it has taken so many steps more."""
        goal = len(self.steps()) + num_steps
        deadline = time.monotonic() + 600
        while len(self.steps()) < goal:
            assert time.monotonic() < deadline, f"no step in ten minutes: {self.log()[-4000:]}"
            time.sleep(0.005)
        time.sleep(seconds)
        self.kill()

    def steps(self, worker: int = 0) -> List[Step]:
        path = self.folder / f"losses_{worker}.txt"
        lines = path.read_text().split("\n")[:-1] if path.exists() else []
        fields = (line.split() for line in lines)
        return [Step(int(epoch), int(number), loss, int(windows)) for epoch, number, loss, windows in fields]


class Trainer:
    """The process whose forks train."""

    def __init__(self, root: Path) -> None:
        script = root / "tests" / "training" / "forked_training.py"
        environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=root,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, request: Dict[str, Any]) -> int:
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def start(self, folder: Path, overrides: Dict[str, Any], **options: Any) -> Training:
        """With `options` of a request to forked_training.py."""
        folder.mkdir(parents=True, exist_ok=True)
        request = {"folder": str(folder), "overrides": {**TINY, **overrides}, **options}
        return Training(self, folder, self.ask(request))

    def train(self, folder: Path, overrides: Dict[str, Any], **options: Any) -> Training:
        return self.start(folder, overrides, **options).succeed()

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def write_text(path: Path, sentences: List[str]) -> str:
    path.write_text("".join(f"{sentence}\n" for sentence in sentences), encoding="utf-8")
    return str(path)
