"""bilm-tf's two files, and what `elmo-export` puts beside them."""

import logging
from pathlib import Path
from typing import Optional

from elmo_plugin.bilm.importing.files import check_size, find_options, usable_vocabulary
from elmo_plugin.bilm.importing.imported import ImportedBilm
from elmo_plugin.bilm.sidecar import FILE_NAME, Sidecar, load_sidecar
from elmo_plugin.bilm.weights import load_bilm

logger = logging.getLogger(__name__)

WEIGHT_NAMES = ("weights.hdf5", "model.hdf5")


def weight_file_of(folder: Path) -> Optional[Path]:
    """
    The weight file in a folder; `None` where there is none.

    # Raises

    `ValueError` where there are several, under names that say nothing.
    """
    for name in WEIGHT_NAMES:
        if (folder / name).is_file():
            return folder / name
    found = sorted(path for path in folder.glob("*.hdf5") if path.name != FILE_NAME)
    if len(found) > 1:
        raise ValueError(
            f"{folder} holds several HDF5 files, none of them named {' or '.join(WEIGHT_NAMES)}: "
            f"{', '.join(path.name for path in found)}. Give the weight file in place of the folder."
        )
    return found[0] if found else None


def import_hdf5(
    weight_file: Path,
    options_file: Optional[Path] = None,
    vocabulary_file: Optional[Path] = None,
    with_softmax: bool = True,
) -> ImportedBilm:
    """
    # Parameters

    weight_file : its options, vocabulary and sidecar are looked for beside it.
    options_file, vocabulary_file : where they are not there.
    with_softmax : take the softmax along, where a sidecar has one.

    # Raises

    `FileNotFoundError`; `ValueError` where the files are damaged or do not go together.
    """
    folder = weight_file.parent
    bilm = load_bilm(find_options(folder, weight_file.stem) if options_file is None else options_file, weight_file)
    options = bilm.options
    beside = folder / FILE_NAME
    sidecar = load_sidecar(beside, options) if beside.is_file() else Sidecar(None, None)
    softmax = sidecar.softmax if with_softmax else None
    needs_words = softmax is not None or options.char_cnn is None
    vocabulary, left_out = usable_vocabulary(folder, vocabulary_file, is_needed=needs_words)
    if needs_words and vocabulary is None:
        what = f"The softmax in {beside}" if softmax is not None else f"{weight_file}, a biLM of word ids,"
        raise ValueError(
            f"{what} belongs to words, but there is no vocabulary.txt or vocab.txt beside it. Give the vocabulary that "
            "it was trained with as `vocabulary_file` (--vocabulary-file)."
        )
    if vocabulary is not None and softmax is not None:
        check_size(vocabulary, softmax.num_words, f"the softmax in {beside}")
    if vocabulary is not None and options.char_cnn is None and options.num_words is not None:
        check_size(vocabulary, options.num_words, str(weight_file))
    name = f"the HDF5 file {weight_file}"
    return ImportedBilm(name, bilm, vocabulary, softmax, sidecar.steady_state, tuple(left_out))
