"""
A file that AllenNLP 0.9's command `elmo` wrote beside the one that ours writes of the same text and model.

    # In an environment of its own, with 0.9.
    allennlp elmo TEXT old.hdf5 --all --options-file O --weight-file W
    # Here.
    allennlp-elmo elmo TEXT new.hdf5 --all --options-file O --weight-file W --state stateful
    python benchmarks/beside_allennlp_0_9.py old.hdf5 new.hdf5

Names, shapes, types and attributes must be the same. The largest difference is given relative to the largest number,
and the exit status is 1 where it is over 1e-6.
"""

import sys
from typing import List

import h5py
import numpy

LARGEST = 1e-6
INDEX = "sentence_to_index"


def layout_differences(old: h5py.File, new: h5py.File) -> List[str]:
    """What is not the same apart from numbers: a line each."""
    lines = [f"{name}: in one file only" for name in sorted(set(old) ^ set(new))]
    for name in sorted(set(old) & set(new)):
        one, other = old[name], new[name]
        if (one.shape, one.dtype, dict(one.attrs)) != (other.shape, other.dtype, dict(other.attrs)):
            lines.append(f"{name}: {one.shape} of {one.dtype}, and {other.shape} of {other.dtype}")
        elif name == INDEX and one[0] != other[0]:
            lines.append(f"{name}: the text differs")
    return lines


def relative_difference(old: h5py.File, new: h5py.File) -> float:
    """The largest difference, relative to the largest number of the old file; both have the same layout."""
    largest = difference = 0.0
    for name in set(old) - {INDEX}:
        one, other = old[name][()], new[name][()]
        if one.size > 0:
            largest = max(largest, float(numpy.abs(one).max()))
            difference = max(difference, float(numpy.abs(one - other).max()))
    return difference / largest


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python benchmarks/beside_allennlp_0_9.py OLD.hdf5 NEW.hdf5")
    with h5py.File(sys.argv[1], "r") as old, h5py.File(sys.argv[2], "r") as new:
        lines = layout_differences(old, new)
        if lines:
            sys.exit("\n".join(lines))
        difference = relative_difference(old, new)
        print(f"{len(set(old) - {INDEX}):,} sentences: {difference:.1e} of the largest number")
    if difference > LARGEST:
        sys.exit(1)


if __name__ == "__main__":
    main()
