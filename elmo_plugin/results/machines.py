"""What the numbers of a training depend on besides its settings: hardware, versions, day."""

import os
import platform
import time
from pathlib import Path
from typing import Any, Dict, List, Sequence

from elmo_plugin.corpus.processes import usable_cores
from elmo_plugin.corpus.software import NOT_INSTALLED, versions
from elmo_plugin.counted import counted

THREADS_VARIABLE = "OMP_NUM_THREADS"
_PACKAGES = ("elmo-plugin", "allennlp", "torch", "numpy")


def environment_of_trainings(at_once: int) -> Dict[str, str]:
    """This process's variables; trainings side by side share the cores, where nothing else was decided."""
    environment = dict(os.environ)
    if at_once > 1:
        environment.setdefault(THREADS_VARIABLE, str(max(1, usable_cores() // at_once)))
    return environment


def this_machine(at_once: int = 1) -> Dict[str, Any]:
    """
    # Parameters

    at_once : `int`
        Trainings side by side.
    """
    import torch

    gpus = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    shared = environment_of_trainings(at_once).get(THREADS_VARIABLE, "")
    return {
        "processor": _processor(),
        "cores": usable_cores(),
        "threads": int(shared) if shared.isdecimal() else torch.get_num_threads(),
        "at_once": at_once,
        "gpus": gpus,
        "python": platform.python_version(),
        "versions": {name: version for name, version in versions(_PACKAGES).items() if version != NOT_INSTALLED},
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def gathered(machines: Sequence[Dict[str, Any]]) -> List[Dict[str, Any]]:
    """
    Each distinct machine of some trainings, with their number and all of their dates in the place of one: `trainings`
    and `dates`.
    """
    found: List[Dict[str, Any]] = []
    for machine in machines:
        # Records of before there were several at once do not say so.
        facts = {"at_once": 1, **{key: value for key, value in machine.items() if key != "date"}}
        known = next((other for other in found if facts.items() <= other.items()), None)
        if known is None:
            known = {**facts, "trainings": 0, "dates": []}
            found.append(known)
        known["trainings"] += 1
        known["dates"] = sorted({*known["dates"], machine["date"]})
    return found


def told(machines: Sequence[Dict[str, Any]]) -> str:
    """A sentence for each of `gathered` machines."""
    return " ".join(_told(machine, machine["trainings"] if len(machines) > 1 else None) for machine in machines)


def _told(machine: Dict[str, Any], num_trainings: Any) -> str:
    who = "Trained" if num_trainings is None else f"{counted(num_trainings, 'training')}"
    at_once = f", {machine['at_once']} trainings at once" if machine["at_once"] > 1 else ""
    gpus = ", ".join(machine["gpus"]) or "no GPU"
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    first, last = machine["dates"][0], machine["dates"][-1]
    return (
        f"{who} on {counted(machine['cores'], 'core')} of {machine['processor']} "
        f"({counted(machine['threads'], 'thread')}{at_once}, {gpus}), Python {machine['python']}, {versions}, "
        f"{first if first == last else f'{first} to {last}'}."
    )
