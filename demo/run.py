"""
From raw text to a tagger that knows names by ELMo, in a few minutes on a laptop: `make demo`.

Runs the commands of `steps.plan`, showing each before it runs. They write to a folder beside `runs/demo`, which is
renamed when all is done; nothing is left of a demonstration that was interrupted or failed.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, NoReturn, Tuple

import report
from steps import Step, plan

ROOT = Path(__file__).resolve().parent.parent
RESULT = Path("runs") / "demo"
UNFINISHED = Path("runs") / "demo.unfinished"
# Quiet and offline; everything else is as the user set it.
SETTINGS = {"ALLENNLP_LOG_LEVEL": "WARNING", "HF_HUB_OFFLINE": "1"}


def main() -> None:
    os.chdir(ROOT)
    signal.signal(signal.SIGTERM, _interrupt)
    shutil.rmtree(UNFINISHED, ignore_errors=True)
    UNFINISHED.mkdir(parents=True)
    try:
        times = run_all(plan(UNFINISHED, *_programs()), _environment())
        print(f"\n{report.times(times)}\n\n{report.summary(UNFINISHED)}\n")
        shutil.rmtree(RESULT, ignore_errors=True)
        UNFINISHED.rename(RESULT)
        print(f"All of it is in {RESULT}.")
    except KeyboardInterrupt:
        sys.exit("\nInterrupted; nothing is left of this run.")
    finally:
        shutil.rmtree(UNFINISHED, ignore_errors=True)


def run_all(steps: List[Step], environment: Dict[str, str]) -> List[Tuple[str, float]]:
    """Runs the steps; returns each one's title and seconds."""
    times = []
    settings = " ".join(f"{name}={value}" for name, value in SETTINGS.items())
    print(f"Each step is an ordinary command, run in {ROOT} with {settings}.", flush=True)
    for number, step in enumerate(steps, start=1):
        print(f"\n{number}. {step.title}\n$ {shlex.join(step.command)}", flush=True)
        start = time.monotonic()
        code = _run(step.command, environment)
        if code != 0:
            sys.exit(
                f"\nStep {number} ended with exit status {code}: see its message above. Nothing is left of this run."
            )
        times.append((step.title, time.monotonic() - start))
        if step.show is not None:
            print(step.show(), flush=True)
        print(f"({report.clock(times[-1][1])})", flush=True)
    return times


def _run(command: List[str], environment: Dict[str, str]) -> int:
    """The exit status. On Ctrl-C the command, which got it too, is waited for: it may still be writing."""
    process = subprocess.Popen(command, env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise


def _programs() -> Tuple[str, List[str]]:
    """The interpreter and `allennlp` with the plugin, as they are typed in the environment that runs this."""
    script = Path(sys.executable).parent / "allennlp-elmo"
    return "python", ["allennlp-elmo"] if script.exists() else ["python", "-m", "elmo_plugin"]


def _environment() -> Dict[str, str]:
    """As if the virtual environment of this interpreter were activated."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, **SETTINGS, "PATH": path}


def _interrupt(signal_number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
