"""What a path holds, and the model in it."""

import stat
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Iterator, List, NamedTuple, Optional

from elmo_plugin.bilm.importing.bilm_hdf5 import import_hdf5, weight_file_of
from elmo_plugin.bilm.importing.bilm_tf import import_checkpoint
from elmo_plugin.bilm.importing.checkpoint import checkpoint_prefix
from elmo_plugin.bilm.importing.elmoformanylangs import ENCODER, TOKEN_EMBEDDER, WORDS, import_elmoformanylangs
from elmo_plugin.bilm.importing.imported import ImportedBilm
from elmo_plugin.bilm.importing.sstable import has_magic

KINDS = (
    "a folder with options.json and weights.hdf5 (or that HDF5 file), a TensorFlow checkpoint (its folder or one of "
    "its files), a folder of ELMoForManyLangs (encoder.pkl, token_embedder.pkl, …), or a zip of any of them, as "
    "vectors.nlpl.eu has them"
)


class SourceSettings(NamedTuple):
    """
    options_file, vocabulary_file : where they are not beside the weights.
    with_softmax : take the softmax along, where there is one.
    """

    options_file: Optional[Path] = None
    vocabulary_file: Optional[Path] = None
    with_softmax: bool = True


_FLAGS = {
    "options_file": "--options-file",
    "vocabulary_file": "--vocabulary-file",
    "with_softmax": "--without-softmax",
}


def import_bilm(
    source: Path, settings: SourceSettings = SourceSettings(), scratch: Optional[Path] = None
) -> ImportedBilm:
    """
    The model that a path holds.

    Where a folder has a checkpoint and HDF5 weights, as bilm-tf leaves it, the checkpoint is taken: it has the softmax.

    # Parameters

    source : see `KINDS`.
    scratch : folder for what a zip holds, for as long as it is read; the system's own if `None`.

    # Raises

    `FileNotFoundError`; `ValueError` where it is of no kind that is known, or as the readers say.
    """
    if source.is_dir():
        return _import_folder(source, settings)
    if source.is_file() and source.suffix == ".zip" and zipfile.is_zipfile(source):
        with _unzipped(source, scratch) as folder:
            try:
                imported = _import_folder(_model_folder(source, folder), settings)
            except (ValueError, FileNotFoundError) as error:
                raise type(error)(str(error).replace(str(folder), str(source))) from error
            left_out = tuple(text.replace(str(folder), str(source)) for text in imported.left_out)
            return imported._replace(kind=imported.kind.replace(str(folder), str(source)), left_out=left_out)
    if source.is_file() and source.suffix in (".hdf5", ".h5"):
        return import_hdf5(source, *settings)
    if source.name.endswith((".tar.gz", ".tgz")) and source.is_file():
        raise ValueError(
            f"{source} is an archive, not the source of one. If AllenNLP or this project wrote it, use it as it is, or "
            "give it to elmo-export; otherwise unpack it and give the folder."
        )
    if source.suffix == ".zip" and source.is_file():
        size = source.stat().st_size
        raise ValueError(f"{source} is no zip file, or it is cut short ({size:,} bytes). Get it again.")
    try:
        prefix = checkpoint_prefix(source)
    except FileNotFoundError as error:
        if not source.exists():
            raise FileNotFoundError(f"There is nothing at {source}. Expected {KINDS}.") from error
        raise ValueError(f"{source} is nothing that can be imported. Expected {KINDS}.") from error
    return import_checkpoint(prefix, *settings)


def _import_folder(folder: Path, settings: SourceSettings) -> ImportedBilm:
    if any((folder / name).is_file() for name in (ENCODER, TOKEN_EMBEDDER, WORDS)):
        given = [name for name, value in zip(settings._fields, settings) if value not in (None, True)]
        if given:
            flags = ", ".join(_FLAGS[name] for name in given)
            raise ValueError(
                f"{folder} is a model of ELMoForManyLangs, which has neither options.json nor a vocabulary for a "
                f"softmax, so {flags} would change nothing. Leave it out."
            )
        return import_elmoformanylangs(folder)
    if any(folder.glob("*.index")):
        return import_checkpoint(checkpoint_prefix(folder), *settings)
    weight_file = weight_file_of(folder)
    if weight_file is None:
        for path in sorted(path for path in folder.iterdir() if path.is_file() and has_magic(path)):
            checkpoint_prefix(path)  # Of the old format; says so.
        names = sorted(path.name for path in folder.iterdir())
        raise ValueError(
            f"{folder} holds nothing that can be imported, but {', '.join(names[:10]) or 'nothing'}. Expected {KINDS}."
        )
    return import_hdf5(weight_file, *settings)


@contextmanager
def _unzipped(path: Path, scratch: Optional[Path]) -> Iterator[Path]:
    """
    A folder with what a zip holds, for as long as the block lasts.

    # Raises

    `ValueError` where the zip is damaged or encrypted, or an entry of it would land elsewhere.
    """
    with TemporaryDirectory(prefix=".elmo-import-", dir=scratch) as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                for entry in archive.infolist():
                    _check_entry(path, entry)
                archive.extractall(folder)
        except (zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: the zip is damaged ({error}). Get it again.") from error
        yield Path(folder)


def _check_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    parts = entry.filename.replace("\\", "/").split("/")
    if ".." in parts or parts[0] == "" or parts[0].endswith(":"):
        raise ValueError(
            f"{path} holds an entry {entry.filename!r}, which would be written outside of the folder that it is "
            "unpacked to. No model needs that; nothing was unpacked."
        )
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise ValueError(
            f"{path} holds a link, {entry.filename!r}, where only files are expected; nothing was unpacked."
        )
    if entry.flag_bits & 1:
        raise ValueError(f"{path} is encrypted. Unpack it and give the folder.")


def _model_folder(path: Path, folder: Path) -> Path:
    """The folder of an unpacked zip that the model is in: the zip's root, or the only one with files."""
    files = [file for file in folder.rglob("*") if file.is_file() and "__MACOSX" not in file.parts]
    candidates: List[Path] = [here for here in sorted({file.parent for file in files}) if _looks_like_a_model(here)]
    if len(candidates) > 1:
        names = ", ".join(str(here.relative_to(folder)) for here in candidates)
        raise ValueError(f"{path} holds several models, in {names}. Unpack it and give one of the folders.")
    return candidates[0] if candidates else folder


def _looks_like_a_model(folder: Path) -> bool:
    return any(any(folder.glob(pattern)) for pattern in (ENCODER, TOKEN_EMBEDDER, "*.index", "*.hdf5"))
