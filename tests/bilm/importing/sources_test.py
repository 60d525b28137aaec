"""What a path holds is found out, zips included, and what is none of it is refused."""

import gzip
import json
import shutil
import stat
import zipfile

import numpy
import pytest
import torch

from elmo_plugin.bilm.importing.sources import SourceSettings, import_bilm
from elmo_plugin.bilm.sidecar import load_sidecar
from elmo_plugin.bilm.weights import load_bilm
from tests.checkpoint_files import bilm_tf_arrays, header_message, table, write_checkpoint
from tests.conftest import PROJECT_ROOT
from tests.elmoformanylangs_files import configuration, random_weights, write_model
from tests.oracle_weights import random_weights as random_bilm_weights
from tests.oracle_weights import variant, write_weights

FIXTURE = PROJECT_ROOT / "fixtures" / "bilm"
NAMES = ["options.json", "sidecar.hdf5", "vocabulary.txt", "weights.hdf5"]


@pytest.fixture
def export(tmp_path):
    """A copy of the fixture, which `elmo-export` wrote."""
    folder = tmp_path / "export"
    folder.mkdir()
    for name in NAMES:
        shutil.copy(FIXTURE / name, folder / name)
    return folder


def same(one, other):
    return all(torch.equal(value, other.state_dict()[name]) for name, value in one.state_dict().items())


def zipped(path, folder, under=""):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"{under}{file.name}")
    return path


@pytest.mark.parametrize("how", ["folder", "file", "zip", "zip with a folder in it"])
def test_an_export_comes_back_whole(how, export, tmp_path):
    source = {
        "folder": lambda: export,
        "file": lambda: export / "weights.hdf5",
        "zip": lambda: zipped(tmp_path / "210.zip", export),
        "zip with a folder in it": lambda: zipped(tmp_path / "210.zip", export, "no.model/"),
    }[how]()
    imported = import_bilm(source)
    bilm = load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5")
    sidecar = load_sidecar(FIXTURE / "sidecar.hdf5", bilm.options)
    assert imported.bilm.options == bilm.options
    assert same(imported.bilm, bilm) and same(imported.softmax, sidecar.softmax)
    assert torch.equal(imported.steady_state.backward_.memory, sidecar.steady_state.backward_.memory)
    assert imported.vocabulary.words == (FIXTURE / "vocabulary.txt").read_text().splitlines()
    assert imported.kind.startswith(f"the HDF5 file {source}") and imported.left_out == ()
    assert not list(tmp_path.glob(".elmo-import-*"))


def test_without_a_sidecar_there_is_no_softmax_and_the_vocabulary_may_be_missing_or_compressed(export):
    (export / "sidecar.hdf5").unlink()
    imported = import_bilm(export)
    assert imported.softmax is None and imported.steady_state is None
    assert imported.vocabulary.words == (FIXTURE / "vocabulary.txt").read_text().splitlines()
    (export / "vocab.txt.gz").write_bytes(gzip.compress((export / "vocabulary.txt").read_bytes()))
    (export / "vocabulary.txt").unlink()
    assert import_bilm(export).vocabulary.words[:3] == ["<S>", "</S>", "<UNK>"]
    (export / "vocab.txt.gz").write_bytes((export / "vocab.txt.gz").read_bytes()[:-20])
    (reason,) = import_bilm(export).left_out
    assert reason.startswith("the vocabulary, which nothing needs here: ") and "no whole gzip file" in reason
    (export / "vocab.txt.gz").unlink()
    assert import_bilm(export).vocabulary is None


def test_a_vocabulary_that_is_needed_or_named_must_fit(export, tmp_path):
    words = (export / "vocabulary.txt").read_text().splitlines()
    (tmp_path / "short.txt").write_text("\n".join(words[:-1]))
    with pytest.raises(ValueError, match="short.txt has .* words, but the softmax in .*sidecar.hdf5 has"):
        import_bilm(export, SourceSettings(vocabulary_file=tmp_path / "short.txt"))
    (export / "vocabulary.txt").unlink()
    message = "The softmax in .* belongs to words, but there is no vocabulary.txt or vocab.txt"
    with pytest.raises(ValueError, match=message):
        import_bilm(export)
    assert import_bilm(export, SourceSettings(with_softmax=False)).softmax is None
    (tmp_path / "short.txt").write_text("a\nb\n")
    with pytest.raises(ValueError, match="short.txt must begin with the lines <S>, </S>, <UNK>"):
        import_bilm(export, SourceSettings(vocabulary_file=tmp_path / "short.txt", with_softmax=False))


def test_a_model_of_word_ids_needs_its_words(tmp_path):
    write_weights(tmp_path / "weights.hdf5", random_bilm_weights(variant("word ids"), numpy.random.default_rng(0)))
    (tmp_path / "options.json").write_text(json.dumps(variant("word ids")))
    with pytest.raises(ValueError, match="weights.hdf5, a biLM of word ids, belongs to words, but there is no vocab"):
        import_bilm(tmp_path)
    words = ["<S>", "</S>", "<UNK>", *"abcdefgh"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    assert import_bilm(tmp_path).vocabulary.words == words
    (tmp_path / "vocab.txt").write_text("\n".join(words[:-1]))
    with pytest.raises(ValueError, match="vocab.txt has 10 words, but .*weights.hdf5 has 11"):
        import_bilm(tmp_path)


def test_files_named_as_the_released_ones_are_found_together(export):
    (export / "sidecar.hdf5").unlink()
    (export / "weights.hdf5").rename(export / "elmo_2x64_weights.hdf5")
    (export / "options.json").rename(export / "elmo_2x64_options.json")
    expected = load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5")
    assert same(import_bilm(export).bilm, expected)
    assert same(import_bilm(export / "elmo_2x64_weights.hdf5").bilm, expected)
    (export / "elmo_2x64_options.json").unlink()
    with pytest.raises(FileNotFoundError, match="expected .*options.json or .*elmo_2x64_options.json. Name it"):
        import_bilm(export)
    assert same(import_bilm(export, SourceSettings(options_file=FIXTURE / "options.json")).bilm, expected)


def test_several_weight_files_must_be_told_apart(export):
    shutil.copy(export / "weights.hdf5", export / "a.hdf5")
    assert import_bilm(export).kind == f"the HDF5 file {export / 'weights.hdf5'}"
    (export / "weights.hdf5").rename(export / "b.hdf5")
    message = "several HDF5 files, none of them named .*: a.hdf5, b.hdf5. Give the weight file"
    with pytest.raises(ValueError, match=message):
        import_bilm(export)


def test_a_checkpoint_goes_before_hdf5_for_it_has_the_softmax(tmp_path):
    options, rng = variant("two layers"), numpy.random.default_rng(0)
    weights = random_bilm_weights(options, rng)
    softmax = rng.normal(size=(4, 5)), rng.normal(size=4)
    write_weights(tmp_path / "model.hdf5", weights)
    (tmp_path / "options.json").write_text(json.dumps({**options, "n_tokens_vocab": 4}))
    (tmp_path / "vocab.txt").write_text("<S>\n</S>\n<UNK>\nx\n")
    assert import_bilm(tmp_path).softmax is None
    prefix = write_checkpoint(tmp_path / "model.ckpt-8", bilm_tf_arrays(weights, softmax))
    for source in (tmp_path, prefix, tmp_path / "model.ckpt-8.index"):
        assert import_bilm(source).softmax.num_words == 4
    zipped(tmp_path.parent / "218.zip", tmp_path)
    assert import_bilm(tmp_path.parent / "218.zip").softmax.num_words == 4


def test_models_of_elmoformanylangs_are_found_in_folders_and_zips(tmp_path):
    config = configuration()
    folder = write_model(tmp_path / "xx.model", config, random_weights(config))
    (folder / "meta.json").write_text("{}")
    bilm = import_bilm(folder).bilm
    imported = import_bilm(zipped(tmp_path / "136.zip", folder), scratch=tmp_path)
    assert same(imported.bilm, bilm)
    assert imported.kind == f"the model of ELMoForManyLangs in {tmp_path / '136.zip'}"
    message = "neither options.json nor a vocabulary .*--vocabulary-file, --without-softmax would"
    with pytest.raises(ValueError, match=message):
        import_bilm(folder, SourceSettings(vocabulary_file=folder, with_softmax=False))


def test_a_training_of_elmoformanylangs_that_saved_no_weights_is_told_as_what_it_is(tmp_path):
    folder = write_model(tmp_path / "xx.model", configuration(), {})
    with pytest.raises(FileNotFoundError, match="There is no .*token_embedder.pkl, .*there is no model yet"):
        import_bilm(folder)


def test_what_is_wrong_in_a_zip_is_told_with_the_zips_name(tmp_path):
    config = configuration()
    folder = write_model(tmp_path / "xx.model", config, random_weights(config))
    (folder / "char.dic").unlink()
    with pytest.raises(FileNotFoundError, match="There is no .*136.zip/char.dic, which this model needs"):
        import_bilm(zipped(tmp_path / "136.zip", folder))


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:/evil.txt"])
def test_a_zip_that_would_write_elsewhere_is_refused_before_anything_is_unpacked(name, export, tmp_path):
    path = zipped(tmp_path / "bad.zip", export)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, "evil")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    message = "bad.zip holds an entry .*evil.txt', which would be written outside of the folder"
    with pytest.raises(ValueError, match=message):
        import_bilm(path, scratch=scratch)
    assert list(scratch.iterdir()) == [] and not list(tmp_path.rglob("evil.txt"))


def test_links_and_encrypted_entries_of_a_zip_are_refused(tmp_path):
    link = zipfile.ZipInfo("options.json")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ValueError, match="link.zip holds a link, 'options.json', where only files are expected"):
        import_bilm(tmp_path / "link.zip")
    with zipfile.ZipFile(tmp_path / "secret.zip", "w") as archive:
        archive.writestr("options.json", "{}")
    content = bytearray((tmp_path / "secret.zip").read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "secret.zip").write_bytes(content)
    with pytest.raises(ValueError, match="secret.zip is encrypted. Unpack it and give the folder"):
        import_bilm(tmp_path / "secret.zip")


def test_damaged_zips_are_named(export, tmp_path):
    path = zipped(tmp_path / "bad.zip", export)
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="bad.zip: the zip is damaged .*Get it again"):
        import_bilm(path)
    content[100] ^= 1
    content[content.index(b"PK\x01\x02")] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="bad.zip: the zip is damaged .*Get it again"):
        import_bilm(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("options.json", "{}" * 500)
    compressed = bytearray(path.read_bytes())
    compressed[30 + len("options.json")] = 255
    path.write_bytes(compressed)
    with pytest.raises(ValueError, match="bad.zip: the zip is damaged .*Get it again"):
        import_bilm(path)
    path.write_bytes(content[:500])
    with pytest.raises(ValueError, match=r"bad.zip is no zip file, or it is cut short \(500 bytes\)"):
        import_bilm(path)


def test_a_zip_of_several_models_is_refused(export, tmp_path):
    path = zipped(tmp_path / "two.zip", export, "a/")
    with zipfile.ZipFile(path, "a") as archive:
        archive.write(export / "weights.hdf5", "b/weights.hdf5")
    message = "two.zip holds several models, in a, b. Unpack it and give one of the folders"
    with pytest.raises(ValueError, match=message):
        import_bilm(path)


def test_what_is_no_source_is_refused_with_what_would_be_one(tmp_path):
    (tmp_path / "empty").mkdir()
    message = "empty holds nothing that can be imported, but nothing. Expected a folder with opt"
    with pytest.raises(ValueError, match=message):
        import_bilm(tmp_path / "empty")
    (tmp_path / "empty" / "notes.txt").write_text("")
    with pytest.raises(ValueError, match="empty holds nothing that can be imported, but notes.txt. Expected"):
        import_bilm(tmp_path / "empty")
    message = "notes.txt is nothing that can be imported. Expected a folder with options.json"
    with pytest.raises(ValueError, match=message):
        import_bilm(tmp_path / "empty" / "notes.txt")
    with pytest.raises(FileNotFoundError, match="There is nothing at .*none. Expected a folder with options.json"):
        import_bilm(tmp_path / "none")
    (tmp_path / "model.tar.gz").write_bytes(b"")
    with pytest.raises(ValueError, match="model.tar.gz is an archive, not the source of one.*elmo-export"):
        import_bilm(tmp_path / "model.tar.gz")


def test_a_folder_with_a_checkpoint_of_the_old_format_is_refused_with_a_way_out(tmp_path):
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-5"\n')
    (tmp_path / "model.ckpt-5").write_bytes(table({b"": header_message(1)}))
    with pytest.raises(ValueError, match="model.ckpt-5 is a TensorFlow checkpoint of the old format V1 .*save it"):
        import_bilm(tmp_path)


def test_a_file_that_names_a_checkpoint_which_is_not_there_does_not_hide_the_weights(export, tmp_path):
    (export / "checkpoint").write_text('model_checkpoint_path: "model.ckpt-9"\n')
    imported = import_bilm(zipped(tmp_path / "217.zip", export, "217/"))
    assert same(imported.bilm, load_bilm(FIXTURE / "options.json", FIXTURE / "weights.hdf5"))
