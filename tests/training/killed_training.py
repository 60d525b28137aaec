"""
Trains a small language model in a child process that is killed again and again, and taken up each time.

    python tests/training/killed_training.py FOLDER NUM_KILLS SEED

Every step's loss is appended to FOLDER/losses.txt as `epoch step loss`, the loss in hexadecimal: every bit of it.
AllenNLP is imported once; each training is a fork of this process, so that twenty of them cost seconds.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import torch  # noqa: E402
from allennlp.commands.train import train_model  # noqa: E402
from allennlp.common import Params  # noqa: E402
from allennlp.training.callbacks import TrainerCallback  # noqa: E402

import elmo_plugin  # noqa: E402, F401

ROOT = Path(__file__).resolve().parent.parent.parent
OVERRIDES = {
    "model.num_samples": 40,
    "data_loader.batch_size": 8,
    "data_loader.num_steps": 10,
    "trainer.num_epochs": 2,
    "trainer.checkpointer": {"type": "elmo_whole", "save_every_num_batches": 7},
    "trainer.callbacks": [{"type": "elmo_resume"}, {"type": "losses_to_file"}],
    "trainer.learning_rate_scheduler": {"type": "linear_with_warmup", "warmup_steps": 20},
}


@TrainerCallback.register("losses_to_file")
class LossesToFile(TrainerCallback):
    def on_batch(self, trainer, batch_inputs, batch_outputs, batch_metrics, epoch, batch_number, is_training, **kwargs):
        if is_training:
            with open(Path(self.serialization_dir).parent / "losses.txt", "a") as file:
                file.write(f"{epoch} {batch_number} {batch_outputs[0]['loss'].item().hex()}\n")


def train(folder: Path) -> None:
    import json

    os.chdir(ROOT)
    torch.set_num_threads(1)
    params = Params.from_file("training_configs/bilm.jsonnet", json.dumps(OVERRIDES))
    train_model(params, str(folder / "out"), recover=(folder / "out").exists())


def train_in_child(folder: Path) -> int:
    process = os.fork()
    if process == 0:
        status = 1
        try:
            sys.stdout = sys.stderr = open(folder / "log.txt", "a")
            os.dup2(sys.stdout.fileno(), 1)
            os.dup2(sys.stdout.fileno(), 2)
            train(folder)
            status = 0
        finally:
            sys.stdout.flush()
            os._exit(status)
    return process


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def main() -> None:
    folder, num_kills = Path(sys.argv[1]), int(sys.argv[2])
    rng = random.Random(int(sys.argv[3]))
    folder.mkdir(parents=True, exist_ok=True)
    kills = 0
    while True:
        before = size(folder / "losses.txt")
        process = train_in_child(folder)
        if kills < num_kills:
            # Three in four are killed while they train, the others as they start.
            if rng.random() < 0.75:
                while size(folder / "losses.txt") == before and os.waitpid(process, os.WNOHANG) == (0, 0):
                    time.sleep(0.01)
            time.sleep(rng.random() * 0.4)
            try:
                os.kill(process, signal.SIGKILL)
                _, status = os.waitpid(process, 0)
            except (ProcessLookupError, ChildProcessError):
                sys.exit("The training ended before it was killed; see log.txt.")
            if not os.WIFSIGNALED(status):
                sys.exit(f"The training ended before it was killed, with status {status}; see log.txt.")
            kills += 1
        else:
            _, status = os.waitpid(process, 0)
            print(f"{kills} kills")
            sys.exit(0 if status == 0 else f"The last training failed with status {status}; see log.txt.")


if __name__ == "__main__":
    main()
