"""A row, and a program that stands in for its trainings."""

import json

ROW = {
    "task": "names",
    "data": "some",
    "metrics": [{"key": "f1", "title": "F1", "scale": 100}],
    "arms": [
        {"name": "baseline", "config": "a.jsonnet"},
        {"name": "+ ELMo", "config": "b.jsonnet", "overrides": {"x": 1}},
    ],
    "seeds": [1, 2],
}
# Stands in for `allennlp`: writes what a training leaves behind, or fails, and notes how it was called. Where there is
# a file `together`, it ends only when so many as that says have begun.
PROGRAM = """
import json, os, pathlib, sys, time
arguments = sys.argv[1:]
folder = pathlib.Path(arguments[arguments.index("-s") + 1])
folder.mkdir(exist_ok=True)
with open(folder.parent / "calls", "a") as calls:
    calls.write(json.dumps(arguments) + "\\n")
(folder.parent / ("threads of " + folder.name)).write_text(os.environ.get("OMP_NUM_THREADS", "all"))
together, deadline = folder.parent / "together", time.monotonic() + 300
while together.exists() and time.monotonic() < deadline:
    if len(list(folder.parent.glob("threads of *"))) >= int(together.read_text()):
        break
    time.sleep(0.02)
if (folder.parent / "fail").exists() and folder.name.startswith("baseline"):
    (folder / "training_state_e1_b0.th").touch()
    print("tools.DiskError: the disk is full\\nwhat follows is no error")
    sys.exit(3)
seed = json.loads(arguments[arguments.index("-o") + 1])["random_seed"]
(folder / "metrics.json").write_text(json.dumps({"f1": 0.5 + seed / 100, "best_validation_elmo/gamma": 0.7}))
"""


def calls(runs):
    """The arguments that the program was called with."""
    return [json.loads(line) for line in (runs / "row/calls").read_text().splitlines()]
