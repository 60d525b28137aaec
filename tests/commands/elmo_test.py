import argparse
import gzip
import io
import json
import lzma
import os
import re

import h5py
import numpy
import pytest
import torch
from allennlp.commands import Subcommand, parse_args
from allennlp.common.checks import ConfigurationError
from allennlp.common.util import SigTermReceived

from elmo_plugin import ElmoEmbedder
from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.characters import words_to_characters
from elmo_plugin.bilm.embedding import SentenceReader
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.out_of_memory import OutOfMemory
from elmo_plugin.bilm.store import VectorStore
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import load_bilm, save_weights
from elmo_plugin.commands.elmo import Elmo, device_numbers
from tests.archives import FIXTURE, embedding_model_archive, language_model_archive
from tests.closeness import assert_close
from tests.conftest import PROJECT_ROOT

FILES = ["--options-file", str(FIXTURE / "options.json"), "--weight-file", str(FIXTURE / "weights.hdf5")]
LINES = (PROJECT_ROOT / "fixtures/corpus/heldout.txt").read_text().splitlines()[:12]
SENTENCES = [line.split() for line in LINES]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.txt").write_text("".join(f"{line}\n" for line in LINES))

    def run_command(*arguments):
        monkeypatch.setattr("sys.argv", ["allennlp", "elmo", *arguments])
        _, args = parse_args("allennlp")
        args.func(args)

    return run_command


def contents(path="out.hdf5"):
    with h5py.File(path) as file:
        return {key: item[()] for key, item in file.items()}


def vectors(path="out.hdf5"):
    found = contents(path)
    return [found[str(number)] for number in range(len(found) - ("sentence_to_index" in found))]


def assert_all_close(some, others, tolerance=1e-5):
    assert len(some) == len(others)
    for one, other in zip(some, others):
        assert_close(one, other, tolerance)


def of_python(**named):
    return ElmoEmbedder(FILES[1], FILES[3], **named).embed_batch(SENTENCES)


def test_the_command_line_of_allennlp_0_9_runs_as_it_was(run, capsys):
    run("text.txt", "out.hdf5", "--all", *FILES, "--batch-size", "64", "--cuda-device", "-1")
    assert_all_close(vectors(), of_python())
    assert json.loads(contents()["sentence_to_index"][0]) == {line: str(number) for number, line in enumerate(LINES)}
    lines = capsys.readouterr().out.splitlines()
    num_words = sum(map(len, SENTENCES))
    assert lines[0] == f"Success! Vectors of 12 sentences, {num_words} words, saved to out.hdf5."
    assert lines[1] == "Read them with h5py.File('out.hdf5')[str(line number from 0)], shape (layers, words, width)."


@pytest.mark.parametrize(
    "form, of_layers", [("--top", lambda layers: layers[-1]), ("--average", lambda layers: layers.mean(axis=0))]
)
def test_top_and_average(run, form, of_layers):
    run("text.txt", "out.hdf5", form, *FILES)
    assert_all_close(vectors(), [of_layers(layers) for layers in of_python()])


def test_stateful_gives_the_vectors_of_allennlps_elmo_in_the_same_batches(run):
    elmo_module = pytest.importorskip("allennlp.modules.elmo")
    run("text.txt", "out.hdf5", "--top", *FILES, "--state", "stateful", "--batch-size", "5")
    theirs = elmo_module.Elmo(FILES[1], FILES[3], 1, dropout=0.0, scalar_mix_parameters=[-1e4, -1e4, 0.0]).eval()
    found = vectors()
    for start in range(0, len(SENTENCES), 5):
        batch = SENTENCES[start : start + 5]
        with torch.no_grad():
            expected = theirs(elmo_module.batch_to_ids(batch))["elmo_representations"][0]
        assert_all_close(found[start : start + 5], [row[: len(s)].numpy() for row, s in zip(expected, batch)])


def test_stateful_reads_64_sentences_together_as_0_9_did(run):
    (PROJECT_ROOT / "fixtures/corpus/heldout.txt")
    with open("text.txt", "w") as file:
        file.write("".join(f"{line}\n" for line in LINES * 6))
    run("text.txt", "out.hdf5", "--top", *FILES, "--state", "stateful")
    run("text.txt", "named.hdf5", "--top", *FILES, "--state", "stateful", "--batch-size", "64")
    assert_all_close(vectors(), vectors("named.hdf5"), 0.0)


@pytest.mark.parametrize("state", ["zero", "steady"])
def test_state(run, state):
    run("text.txt", "out.hdf5", "--all", *FILES, "--state", state, "--token-budget", "30")
    assert_all_close(vectors(), of_python(state=state))


def test_dtype(run):
    run("text.txt", "out.hdf5", "--all", *FILES, "--dtype", "float16")
    assert {array.dtype.name for array in vectors()} == {"float16"}
    assert_all_close(vectors(), of_python(), 2e-3)


def test_forget_sentences_leaves_the_index_out(run):
    run("text.txt", "out.hdf5", "--top", *FILES, "--forget-sentences")
    assert set(contents()) == set(map(str, range(12)))


def test_use_sentence_keys_names_the_vectors_by_their_sentences(run, capsys):
    with open("text.txt", "a") as file:
        file.write("this and / or that\n\n")
    run("text.txt", "out.hdf5", "--all", *FILES, "--use-sentence-keys")
    found = contents()
    assert len(found) == 14 and found["this and %2F or that"].shape == (3, 5, 32) and found["%"].shape == (3, 0, 32)
    assert_all_close([found[line] for line in LINES], of_python())
    assert "[the sentence], shape" in capsys.readouterr().out


@pytest.mark.parametrize("name, compress", [("text.txt.gz", gzip.compress), ("text.txt.xz", lzma.compress)])
def test_compressed_text_is_read(run, tmp_path, name, compress):
    (tmp_path / name).write_bytes(compress((tmp_path / "text.txt").read_bytes()))
    run(name, "out.hdf5", "--all", *FILES)
    assert_all_close(vectors(), of_python())


def test_standard_input_is_read(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\n".join(LINES).encode())))
    run("-", "out.hdf5", "--all", *FILES)
    assert_all_close(vectors(), of_python())


def test_standard_input_is_decoded_as_a_file_is(run, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO("\ufeffČas .\r\n\nend".encode()), "latin-1"))
    run("-", "out.hdf5", "--top", *FILES)
    assert json.loads(contents()["sentence_to_index"][0]) == {"Čas .": "0", "": "1", "end": "2"}
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"good\nM\xfcnchen\n"), errors="surrogateescape"))
    with pytest.raises(ConfigurationError, match="standard input, line 2: expected text in UTF-8, found byte 0xfc"):
        run("-", "other.hdf5", "--top", *FILES)


def test_a_pipe_is_read(run):
    reading, writing = os.pipe()
    with open(writing, "w") as pipe:
        pipe.write("\n".join(LINES))
    run(f"/dev/fd/{reading}", "out.hdf5", "--all", *FILES)
    os.close(reading)
    assert_all_close(vectors(), of_python())


def test_an_archive_of_a_language_model_stands_for_its_files(run, tmp_path):
    archive = language_model_archive(tmp_path / "archive")
    run("text.txt", "out.hdf5", "--all", "--archive", archive, "--state", "zero")
    assert_all_close(vectors(), of_python(state="zero"))
    run("text.txt", "steady.hdf5", "--all", "--archive", archive)
    assert_all_close([layers[0] for layers in vectors("steady.hdf5")], [layers[0] for layers in of_python()])


def test_an_archive_gives_in_the_steady_state_the_vectors_of_its_export(run, tmp_path, monkeypatch, capsys):
    archive = language_model_archive(tmp_path / "archive")
    run("text.txt", "out.hdf5", "--all", "--archive", archive)
    assert re.search("The steady state was computed from .* elmo-export computes it once", capsys.readouterr().err)
    monkeypatch.setattr("sys.argv", ["allennlp", "elmo-export", archive, "exported"])
    _, args = parse_args("allennlp")
    args.func(args)
    files = ["--options-file", "exported/options.json", "--weight-file", "exported/weights.hdf5"]
    run("text.txt", "again.hdf5", "--all", *files)
    assert_all_close(vectors(), vectors("again.hdf5"))


def test_an_archive_of_a_tagger_embeds_as_the_tagger_does(run, tmp_path, capsys):
    run("text.txt", "out.hdf5", "--all", "--archive", embedding_model_archive(tmp_path / "archive"))
    assert_all_close(vectors(), of_python())
    assert "steady state" not in capsys.readouterr().err


def test_a_sidecar_elsewhere(run, tmp_path):
    for name in ("options.json", "weights.hdf5"):
        (tmp_path / name).write_bytes((FIXTURE / name).read_bytes())
    here = ["--options-file", "options.json", "--weight-file", "weights.hdf5"]
    run("text.txt", "out.hdf5", "--all", *here, "--sidecar-file", str(FIXTURE / "sidecar.hdf5"))
    assert_all_close(vectors(), of_python())
    run("text.txt", "computed.hdf5", "--all", *here)
    assert abs(vectors("computed.hdf5")[0] - vectors()[0]).max() > 1e-3


def test_a_model_of_word_ids_needs_its_vocabulary(run, tmp_path):
    options = {"lstm": {"dim": 4, "projection_dim": 3, "n_layers": 1}}
    model = Bilm(BilmOptions.from_dict({**options, "n_tokens_vocab": 4})).eval()
    save_weights(model, tmp_path / "w.hdf5")
    (tmp_path / "o.json").write_text(json.dumps(options))
    WordVocabulary(["<S>", "</S>", "<UNK>", "a"]).to_file(tmp_path / "v.txt")
    files = ["--options-file", "o.json", "--weight-file", "w.hdf5", "--state", "zero"]
    with pytest.raises(ConfigurationError, match="give the file as `vocabulary_file` .--vocabulary-file."):
        run("text.txt", "out.hdf5", "--all", *files)
    run("text.txt", "out.hdf5", "--all", *files, "--vocabulary-file", "v.txt")
    assert vectors()[0].shape == (2, len(SENTENCES[0]), 6)
    with pytest.raises(ConfigurationError, match="word ids has no steady state without a sidecar file"):
        run("text.txt", "other.hdf5", "--all", *files[:4], "--vocabulary-file", "v.txt")


def test_token_embeddings_are_those_of_the_words_of_a_vocabulary(run, capsys):
    run(str(FIXTURE / "vocabulary.txt"), "out.hdf5", "--token-embeddings", *FILES, "--dtype", "float16")
    bilm = load_bilm(FILES[1], FILES[3])
    words = WordVocabulary.from_file(FIXTURE / "vocabulary.txt").words
    with torch.no_grad():
        expected = SentenceReader(bilm, "zero").word_vectors(words)
    assert_all_close([contents()["embedding"]], [expected.numpy().astype("float16")], 2e-3)
    assert capsys.readouterr().out == "Success! Vectors of 167 words saved to out.hdf5, as its dataset 'embedding'.\n"


def test_words_in_any_order_without_special_ones_have_token_embeddings(run, tmp_path, shared_data):
    folder = shared_data / "elmo" / "allennlp_fixture"
    files = ["--options-file", str(folder / "options.json"), "--weight-file", str(folder / "lm_weights.hdf5")]
    (tmp_path / "words.txt").write_text((folder / "vocab_test.txt").read_text() + "\n!!!MAXTERMID\n")
    run("words.txt", "out.hdf5", "--token-embeddings", *files)
    assert_all_close([contents()["embedding"]], [contents(folder / "elmo_token_embeddings.hdf5")["embedding"]])


def test_a_store_is_found_by_its_sentences(run, capsys):
    run("text.txt", "store", "--all", *FILES, "--format", "store", "--dtype", "float16")
    found = VectorStore("store")
    assert_all_close([found.find(words_to_characters(s, 50)).transpose(1, 0, 2) for s in SENTENCES], of_python(), 2e-3)
    assert 'with the embedder {"type": "elmo_precomputed", "store": "store"}.' in capsys.readouterr().out


@pytest.mark.parametrize("form, dtype", [("--all", "float32"), ("--top", "float16"), ("--average", "float32")])
def test_parquet_has_a_row_for_each_line(run, form, dtype, capsys, monkeypatch):
    parquet = pytest.importorskip("pyarrow.parquet")
    with open("text.txt", "a") as file:
        file.write("\none two\n")
    run("text.txt", "out.hdf5", form, *FILES, "--dtype", dtype)
    monkeypatch.setattr("elmo_plugin.parquet_vectors._GROUP_BYTES", 5000)
    run("text.txt", "out.parquet", form, *FILES, "--dtype", dtype, "--format", "parquet")
    table = parquet.read_table("out.parquet")
    assert table["sentence"].to_pylist() == [*LINES, "", "one two"] and table.num_rows == 14
    assert parquet.ParquetFile("out.parquet").num_row_groups > 1
    shapes = [array.shape for array in vectors()]
    assert_all_close(
        [numpy.array(row).reshape(shape) for row, shape in zip(table["vectors"].to_pylist(), shapes)], vectors(), 0.0
    )
    assert "pyarrow.parquet.read_table('out.parquet')['vectors'], lists of shape" in capsys.readouterr().out
    run("text.txt", "bare.parquet", form, *FILES, "--format", "parquet", "--forget-sentences")
    assert parquet.read_table("bare.parquet").column_names == ["vectors"]


def test_without_pyarrow_the_error_names_the_extra(run, monkeypatch):
    monkeypatch.setattr("elmo_plugin.parquet_vectors.find_spec", lambda _: None)
    with pytest.raises(
        ConfigurationError, match=r"pip install 'elmo-plugin\[corpus\]' .* or leave --format parquet out"
    ):
        run("text.txt", "out.parquet", "--all", *FILES, "--format", "parquet")


def test_several_processes_write_the_same_vectors_and_go_on_with_what_one_has_begun(run, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("elmo_plugin.bilm.dump._SENTENCES_PER_PART", 3)
    arguments = ["text.txt", "out.hdf5", "--all", *FILES, "--invariant"]
    read, calls = SentenceReader.read, []
    with monkeypatch.context() as patch:
        patch.setattr(
            SentenceReader, "read", lambda *given: read(*given) if calls.append(1) or len(calls) < 2 else 1 / 0
        )
        with pytest.raises(ZeroDivisionError):
            run(*arguments)
    assert len(list((tmp_path / "out.hdf5.parts").glob("*.hdf5"))) == 1
    run(*arguments, "--processes", "2")
    of_two = vectors()
    run("text.txt", "one.hdf5", "--all", *FILES, "--invariant")
    assert all(numpy.array_equal(one, other) for one, other in zip(of_two, vectors("one.hdf5")))


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SigTermReceived])
def test_an_interrupted_run_says_that_it_can_go_on_and_does(run, monkeypatch, capsys, tmp_path, stop):
    read, calls = SentenceReader.read, []

    def interrupted(self, sentences, carried=None):
        calls.append(len(sentences))
        if len(calls) == 3:
            raise stop
        return read(self, sentences, carried)

    monkeypatch.setattr("elmo_plugin.bilm.dump._SENTENCES_PER_PART", 4)
    arguments = ["text.txt", "out.hdf5", "--all", *FILES, "--batch-size", "2", "--cached-words", "7"]
    with monkeypatch.context() as patch:
        patch.setattr(SentenceReader, "read", interrupted)
        with pytest.raises(stop):
            run(*arguments)
    assert "Stopped. What was computed is kept in out.hdf5.parts; the same command goes on" in capsys.readouterr().err
    assert not (tmp_path / "out.hdf5").exists()
    run(*arguments)
    assert_all_close(vectors(), of_python())
    words = sum(map(len, SENTENCES))
    assert re.search(rf"{words}/{words}", capsys.readouterr().err.replace(".0", ""))
    assert not (tmp_path / "out.hdf5.parts").exists()


def test_running_out_of_memory_is_an_error_of_the_configuration_with_the_remedy(run, monkeypatch):
    def fail(*_):
        raise OutOfMemory("Make batches smaller")

    monkeypatch.setattr(SentenceReader, "read", fail)
    with pytest.raises(ConfigurationError, match="Make batches smaller"):
        run("text.txt", "out.hdf5", "--all", *FILES)


def test_running_out_of_memory_behind_the_biLM_has_a_remedy_too(run, monkeypatch):
    def fail(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("elmo_plugin.bilm.embedding.vectors_of", fail)
    with pytest.raises(ConfigurationError, match="vectors of a batch. Make batches smaller .*CUDA out of memory"):
        run("text.txt", "out.hdf5", "--all", *FILES)


def test_an_existing_output_needs_force(run):
    run("text.txt", "out.hdf5", "--top", *FILES)
    with pytest.raises(ConfigurationError, match="out.hdf5: already exists. Use --force to overwrite it"):
        run("text.txt", "out.hdf5", "--all", *FILES)
    run("text.txt", "out.hdf5", "--all", *FILES, "--force")
    assert vectors()[0].ndim == 3


@pytest.mark.parametrize(
    "arguments, message",
    [
        (
            ["--all", "--archive", "a", *FILES],
            "--archive holds all of a biLM, so --options-file, --weight-file can't be",
        ),
        (["--all", "--archive", "a", "--sidecar-file", "s"], "so --sidecar-file can't be given with it"),
        (["--all", "--archive", "a", "--vocabulary-file", "v"], "so --vocabulary-file can't be given with it"),
        (["--all", *FILES[:2]], "Give --options-file and --weight-file together; --weight-file is missing"),
        (["--all", *FILES[2:]], "Give --options-file and --weight-file together; --options-file is missing"),
        (["--all", *FILES, "--forget-sentences", "--use-sentence-keys"], "--forget-sentences can't be given with it"),
        (
            ["--all", *FILES, "--state", "stateful", "--token-budget", "9"],
            "--token-budget sorts .* Give --batch-size, or",
        ),
        (
            ["--all", *FILES, "--state", "zero", "--sidecar-file", "s"],
            "the steady state, which --state zero does not use",
        ),
        (["--token-embeddings", *FILES, "--state", "zero"], "so --state would change nothing. Leave it out"),
        (
            ["--token-embeddings", *FILES, "--batch-size", "2", "--forget-sentences"],
            "so --batch-size, --forget-sentences would",
        ),
        (["--all", *FILES, "--batch-size", "0"], "`batch_size` .--batch-size. must be at least 1, but it is 0"),
        (["--all", *FILES, "--token-budget", "-1"], "`token_budget` .--token-budget. must be at least 1, but it is -1"),
        (
            ["--all", *FILES, "--format", "store", "--use-sentence-keys"],
            "--format store finds .* so --use-sentence-keys would",
        ),
        (["--top", *FILES, "--format", "store"], "--format store keeps all layers, .* Give --all, not --top"),
        (
            ["--all", *FILES, "--format", "store", "--state", "stateful"],
            "so they can't be stored by sentence. Give another",
        ),
        (
            ["--all", *FILES, "--format", "parquet", "--use-sentence-keys"],
            "has sentences as a column, so --use-sentence-k",
        ),
        (["--all", *FILES, "--processes", "0"], "--processes must be at least 1, but it is 0"),
        (
            ["--all", *FILES, "--processes", "2", "--cuda-device", "0"],
            "--processes share the CPU; of GPUs each has a process",
        ),
        (
            ["--all", *FILES, "--cuda-device", "0,0"],
            "must be those of different GPUs, but they are 0,0. On the CPU, give",
        ),
        (["--all", *FILES, "--cuda-device", "0,-1"], "must be those of different GPUs, but they are 0,-1"),
        (["--all", *FILES, "--cuda-device", "98,99"], "There is no device cuda:98"),
        (
            ["--all", *FILES, "--processes", "2", "--state", "stateful"],
            "which several processes can't. Give one process and",
        ),
        (["--all", *FILES, "--invariant", "--state", "stateful"], "they can't be `invariant` .--invariant."),
        (
            ["--token-embeddings", *FILES, "--format", "hdf5", "--invariant"],
            "so --format, --invariant would change nothing",
        ),
        (
            ["--token-embeddings", *FILES, "--cuda-device", "0,1"],
            "--token-embeddings runs in one process. Give one --cuda",
        ),
        (["--all", *FILES, "--cuda-device", "99"], "There is no device cuda:99"),
        (["--all", *FILES, "--cached-words", "-1"], "must be 0 or more, but it is -1"),
        (["--all", "--options-file", "none.json", *FILES[2:]], "There is no options file none.json"),
        (["--all", *FILES[:2], "--weight-file", "none.hdf5"], "There is no weight file none.hdf5"),
    ],
)
def test_flags_that_make_no_sense_are_refused(run, tmp_path, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        run("text.txt", "out.hdf5", *arguments)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--all", "--top"],
        ["--all", "--state", "warm"],
        ["--all", "--dtype", "int8"],
        ["--all", "--cuda-device", "cpu"],
    ],
)
def test_argparse_refuses_the_rest(run, arguments, capsys):
    with pytest.raises(SystemExit):
        run("text.txt", "out.hdf5", *FILES, *arguments)
    assert "usage:" in capsys.readouterr().err


def test_several_gpus_are_joined_by_commas():
    assert device_numbers("0") == [0] and device_numbers("0,1") == [0, 1]
    with pytest.raises(argparse.ArgumentTypeError, match="expected a number, or several as 0,1, but it is 'one'"):
        device_numbers("one")


def test_every_flag_of_0_9_may_stand_before_the_files(run):
    flags = ["--forget-sentences", "--batch-size", "64", "--cuda-device", "-1"]
    run("--all", *FILES, *flags, "text.txt", "out.hdf5")
    assert_all_close(vectors(), of_python())


@pytest.mark.parametrize(
    "content, name, message",
    [
        (None, "absent.txt", "There is no file absent.txt. Give a text of one tokenised sentence a line"),
        (None, ".", r"\. is a folder. Give a text of one tokenised sentence a line"),
        (b"", "empty.txt", "There is no line to embed"),
        (b"fine\n\xff\n", "latin.txt", r"latin.txt, line 2: expected text in UTF-8, found byte 0xff"),
        (b"fine\na\0b\n", "nul.txt", "nul.txt, line 2: .*NUL byte"),
        (gzip.compress(b"a\n" * 999)[:-9], "cut.gz", "cut.gz, after line .* not a whole gzip file"),
        (lzma.compress(b"a\n" * 999)[:-9], "cut.xz", "cut.xz, after line .* not a whole xz file"),
        (b"no xz", "plain.xz", "plain.xz, after line 0: the file is not a whole xz file .* remove .xz from its name"),
    ],
)
def test_input_that_can_not_be_read_is_refused(run, tmp_path, content, name, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        run(name, "out.hdf5", "--all", *FILES)
    assert not (tmp_path / "out.hdf5").exists()


def test_the_input_is_never_overwritten(run, tmp_path):
    with pytest.raises(ConfigurationError, match="INPUT and OUTPUT are both text.txt"):
        run("text.txt", "text.txt", "--all", *FILES, "--force")
    assert (tmp_path / "text.txt").read_text().splitlines() == LINES


def test_empty_lines_have_vectors_too_and_white_space_at_the_ends_is_none_of_a_sentence(run, tmp_path):
    (tmp_path / "text.txt").write_bytes(b"\xef\xbb\xbf  a b \r\n\r\n\t\r\nc")
    run("text.txt", "out.hdf5", "--all", *FILES)
    assert [array.shape for array in vectors()] == [(3, 2, 32), (3, 0, 32), (3, 0, 32), (3, 1, 32)]
    assert json.loads(contents()["sentence_to_index"][0]) == {"a b": "0", "": "2", "c": "3"}


def test_the_command_is_registered_under_its_old_name():
    assert Subcommand.by_name("elmo") is Elmo
