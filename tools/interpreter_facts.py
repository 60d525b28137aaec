"""
Prints as JSON what `install.py` asks of an interpreter.  It is run by the interpreter in question,
so it has to be readable to any Python, the unfit ones included.
"""

import json
import sys


def distribution(name):
    """Version and folder of an installed distribution, None where there is none."""
    from importlib import metadata

    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None
    return {"version": found.version, "folder": str(found.locate_file(""))}


def facts():
    found = {
        "executable": sys.executable,
        "version": list(sys.version_info[:3]),
        "prefix": sys.prefix,
        "base_prefix": getattr(sys, "base_prefix", sys.prefix),
        "missing": [],
        "torch": None,
        "torchvision": None,
    }
    if sys.version_info >= (3, 8):
        from importlib.util import find_spec

        found["missing"] = [name for name in ("venv", "ensurepip", "pip") if find_spec(name) is None]
        found["torch"] = distribution("torch")
        found["torchvision"] = distribution("torchvision")
    return found


if __name__ == "__main__":
    print(json.dumps(facts()))
