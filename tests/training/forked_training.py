"""
A process that has imported everything and trains in forks of itself: a test pays for a training, not for imports.

It reads requests from standard input, a line of JSON each, and answers each with a line:

    {"folder": …, "overrides": {…}, "node_rank": 0, "float64": false, "dies_before_best": false}   its process id
    {"wait": process id}                                                   its exit status; negative, the signal

A training is `train_model` with training_configs/bilm.jsonnet, in a process group of its own, so that a test can kill
it with all its workers. It recovers where there is something in FOLDER/out. Worker K appends the loss of every step to
FOLDER/losses_K.txt as `epoch step loss windows`, the loss in hexadecimal: every bit of it. What it has to say is in
FOLDER/log.txt.
"""

import functools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Dict

# Not by `torch.set_num_threads`: after it, threads of a forked process were seen to race for a pool that did not
# survive.
os.environ["OMP_NUM_THREADS"] = "1"

import torch  # noqa: E402
import torch.multiprocessing  # noqa: E402
from allennlp.commands.train import train_model  # noqa: E402
from allennlp.common import Params  # noqa: E402
from allennlp.training import gradient_descent_trainer  # noqa: E402
from allennlp.training.callbacks import TrainerCallback  # noqa: E402

import elmo_plugin  # noqa: E402, F401
from elmo_plugin.bilm.streams import Streams  # noqa: E402
from elmo_plugin.training.workers import worker_number  # noqa: E402

ROOT = Path(__file__).resolve().parent.parent.parent


@TrainerCallback.register("losses_to_file")
class LossesToFile(TrainerCallback):
    def on_batch(self, trainer, batch_inputs, batch_outputs, batch_metrics, epoch, batch_number, is_training, **kwargs):
        if is_training:
            loss = sum(output["loss"].item() for output in batch_outputs)
            path = Path(self.serialization_dir).parent / f"losses_{worker_number()}.txt"
            with open(path, "a") as file:
                file.write(f"{epoch} {batch_number} {loss.hex()} {Streams.windows_made}\n")


def count_windows() -> None:
    """Keeps count of the windows that are made of text, in `Streams.windows_made`."""
    from_window, Streams.windows_made = Streams.from_window, 0

    @functools.wraps(from_window)
    def counting(self, first):
        for window in from_window(self, first):
            Streams.windows_made += 1
            yield window

    Streams.from_window = counting


def train(request: Dict[str, Any]) -> None:
    folder = Path(request["folder"])
    os.chdir(ROOT)
    if request.get("float64", False):
        torch.set_default_dtype(torch.float64)
    if request.get("dies_before_best", False):
        gradient_descent_trainer.hardlink_or_copy = lambda *names: os.kill(os.getpid(), signal.SIGKILL)
    params = Params.from_file("training_configs/bilm.jsonnet", json.dumps(request["overrides"]))
    out = folder / "out"
    # A training that was killed before it had begun is begun again.
    recover = (out / "vocabulary").exists()
    train_model(params, str(out), recover=recover, force=not recover, node_rank=request.get("node_rank", 0))


def start(request: Dict[str, Any]) -> int:
    process = os.fork()
    if process == 0:
        status = 1
        try:
            os.setpgid(0, 0)
            log = os.open(Path(request["folder"]) / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for stream in (1, 2):
                os.dup2(log, stream)
            os.close(0)
            train(request)
            status = 0
        except Exception:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    # Here too, so that it is done before anybody kills the group.
    os.setpgid(process, process)
    return process


def main() -> None:
    torch.multiprocessing.spawn = functools.partial(torch.multiprocessing.start_processes, start_method="fork")
    count_windows()
    for line in sys.stdin:
        request = json.loads(line)
        if "wait" in request:
            print(os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1]), flush=True)
        else:
            print(start(request), flush=True)


if __name__ == "__main__":
    main()
