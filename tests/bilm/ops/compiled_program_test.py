"""The program in C: that it is found, refused or done without, and that its source is the one that was tested."""

import ctypes
import re
import shutil
import subprocess
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest
import torch

from elmo_plugin.bilm.ops import (
    char_convolutions_compiled,
    char_convolutions_learning,
    compiled_program,
    dispatch,
    linear_compiled,
    projected_lstm_compiled,
    projected_lstm_learning,
)
from elmo_plugin.bilm.ops.compiled_program import FILES, PanelMatrix, compiled_for, load, why_not
from elmo_plugin.bilm.ops.fixed_rows import projected_lstms_fixed
from elmo_plugin.bilm.ops.projected_lstm import projected_lstms
from elmo_plugin.bilm.ops.projected_lstm_compiled import is_for, projected_lstms_compiled
from tests.bilm.ops.char_convolutions_compiled_test import random_floats
from tests.bilm.ops.char_convolutions_test import WORDS, characters_of
from tests.bilm.ops.char_convolutions_test import run as run_convolutions
from tests.bilm.ops.projected_lstm_compiled_test import SHAPES, chain, doubled, errors, weights_in
from tests.bilm.ops.projected_lstm_learning_test import floats, learning
from tests.bilm.ops.projected_lstm_test import run as run_learning
from tests.compiled import PROGRAMS
from tests.hidden_program import hidden

FOLDER = Path(compiled_program.__file__).parent / "compiled"
SOURCES = sorted(FOLDER.glob("*.c"))


@pytest.fixture
def no_program(tmp_path, monkeypatch):
    """A folder where it is looked for."""
    yield from hidden(compiled_program, tmp_path, monkeypatch)


def test_without_the_program_it_says_why_and_the_others_run(no_program):
    assert "was not compiled when the package was installed" in why_not()
    assert compiled_for() is None
    given = chain(([2], 16, 16))
    assert not is_for(given.weight_projection)
    with pytest.raises(RuntimeError, match="can't run: it was not compiled"):
        projected_lstms_compiled([given], [2], None, None)
    with dispatch.forced("fixed"):
        assert dispatch._recurrence_of([given]) is projected_lstms_fixed


def test_a_file_that_can_not_be_loaded_is_told(no_program):
    file_of("AVX2", no_program).write_bytes(b"no program")
    assert "can't be loaded" in why_not()


def processor_has(processors):
    flags = {"AVX-512": {"avx512f", "avx512bw", "avx512dq", "avx512vl"}, "AVX2": {"avx2", "fma", "f16c"}}[processors]
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return any(line.startswith("flags") and flags <= set(line.split()) for line in lines)


@pytest.mark.skipif(not PROGRAMS, reason="nothing was compiled here")
def test_the_best_program_for_this_processor_is_the_one_that_runs():
    best = next(name for name in FILES if processor_has(name))
    assert compiled_for() == best


def test_a_bad_program_for_avx512_leaves_the_other(no_program, compiler):
    assert compiled(SOURCES, no_program, "AVX2").returncode == 0
    if isinstance(load("AVX2"), str):
        pytest.skip(load("AVX2"))
    file_of("AVX-512", no_program).write_bytes(b"no program")
    assert compiled_for() == "AVX2" and why_not() is None


def test_a_library_that_is_another_is_refused(no_program, compiler):
    other = no_program / "other.c"
    other.write_text("int other(void) { return 1; }\n", encoding="utf-8")
    assert compiled([other], no_program, "AVX-512").returncode == 0
    assert "compiled from another version of the package" in why_not()


FLAGS = {"AVX-512": [f"-mavx512{part}" for part in ("f", "bw", "dq", "vl")], "AVX2": ["-mavx2"]}


def file_of(processors, folder):
    return folder / (FILES[processors] + EXTENSION_SUFFIXES[0])


def compiled(sources, folder, processors="AVX2"):
    options = ["-O1", "-fopenmp", "-shared", "-fPIC", *FLAGS[processors], "-mfma", "-mf16c"]
    command = ["cc", *options, *map(str, sources), "-o", str(file_of(processors, folder))]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def compiler(tmp_path):
    """Skips where there is none that could do it."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler is at hand")
    probe, folder = tmp_path / "probe.c", tmp_path / "probe"
    (folder / "compiled").mkdir(parents=True)
    probe.write_text("#include <immintrin.h>\n#include <omp.h>\nint threads(void) { return omp_get_max_threads(); }\n")
    if compiled([probe], folder).returncode != 0:
        pytest.skip("the C compiler has no OpenMP, or is not for x86")


@pytest.mark.parametrize("processors", FILES)
def test_the_source_compiles_as_it_is_now_and_computes_the_same(processors, no_program, compiler):
    done = compiled(SOURCES, no_program, processors)
    assert done.returncode == 0, done.stderr
    if isinstance(load(processors), str):
        pytest.skip(load(processors))
    assert compiled_for() == processors
    rows = SHAPES["every number of rows"][0]
    given = chain(SHAPES["every number of rows"])
    (exact,) = projected_lstms([doubled(given)], rows, 3.0, 3.0)
    for dtype, tolerance in [(torch.float32, 1e-5), (torch.float16, 1e-2)]:
        (found,) = projected_lstms_compiled(weights_in([given], dtype), rows, 3.0, 3.0)
        assert max(errors(found, exact)) < tolerance


def some_results():
    """Of every operation of the program: values, and gradients where it has them."""
    for name in ("every number of rows", "wider than what is added up at once"):
        rows = SHAPES[name][0]
        chains = [chain(SHAPES[name], seed) for seed in range(2)]
        for dtype in (torch.float32, torch.float16):
            for output in projected_lstms_compiled(weights_in(chains, dtype), rows, 0.4, 0.2):
                yield from output
        yield from run_learning(learning, floats(SHAPES[name]), rows, (0.4, 0.2), dtype=torch.float32)
    generator = torch.Generator().manual_seed(5)
    shapes = (101, 530), (16 * 11, 530), (16 * 11,)
    inputs, weight, bias = (torch.randn(shape, generator=generator) for shape in shapes)
    for dtype in (torch.float32, torch.float16):
        yield linear_compiled.linear_compiled(inputs, PanelMatrix(weight, dtype=dtype), bias)
    characters = characters_of(WORDS["words"])
    for dim in (16, 20):
        filters = random_floats([(1, 16), (2, 32), (7, 64)], dim)
        yield char_convolutions_compiled.char_convolutions_compiled(characters, *filters)
        operation = char_convolutions_learning.char_convolutions_learning
        yield from run_convolutions(operation, characters, filters, torch.float32)


@pytest.mark.skipif(len(PROGRAMS) < 2, reason="one processor's program is here, or none")
def test_all_processors_give_the_same_bits(monkeypatch):
    results = []
    for program in PROGRAMS.values():
        monkeypatch.setattr(compiled_program, "_loaded", lambda program=program: program)
        results.append(list(some_results()))
    for one, other in zip(*results):
        assert torch.equal(one, other)


def test_a_program_of_another_version_is_refused(no_program, compiler):
    text, version = (FOLDER / "program.c").read_text(encoding="utf-8"), f"#define VERSION {compiled_program.VERSION}\n"
    assert version in text
    shutil.copy(FOLDER / "vectors.h", no_program)
    older = no_program / "older.c"
    older.write_text(text.replace(version, "#define VERSION 0\n"), encoding="utf-8")
    assert compiled([older], no_program).returncode == 0
    assert "compiled from another version of the package" in why_not()


def test_both_sides_have_the_same_numbers():
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.[ch]"))
    numbers = {
        "VERSION": compiled_program.VERSION,
        "WIDTH": compiled_program.WIDTH,
        "MAX_CHAINS": projected_lstm_compiled.MAX_CHAINS,
    }
    for name, number in numbers.items():
        assert re.findall(rf"#define {name} (.*)\n", text) == [str(number)]


def test_both_sides_have_the_same_structures():
    """By the fields that the sources name, one pointer or number of 8 bytes each, but for two clips of 4."""
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.c"))
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for name, structure, num_clips in [
        ("chain", projected_lstm_compiled._Chain, 0),
        ("sizes", projected_lstm_compiled._Sizes, 2),
        ("linear", linear_compiled._Linear, 0),
        ("convolution", char_convolutions_compiled._Convolution, 0),
        ("convolution_back", char_convolutions_learning._ConvolutionBack, 0),
        ("words", char_convolutions_compiled.Words, 0),
        ("learning", projected_lstm_learning._Learning, 0),
        ("learning_sizes", projected_lstm_learning._Sizes, 2),
    ]:
        (body,) = re.findall(rf"^struct {name} {{\n(.*?)^}};", text, re.S | re.M)
        declarations = re.findall(r"([\w, *]+);", body)
        fields = [field for declared in declarations for field in re.findall(r"\w+(?=,|$)", declared)]
        assert fields == [name for name, *_ in structure._fields_]
        assert ctypes.sizeof(structure) == 8 * (len(fields) - num_clips) + 4 * num_clips


def test_panels_of_what_the_program_can_not_read_are_refused():
    weight = torch.zeros(16, 3)
    with pytest.raises(ValueError, match="of float32 or float16 and on the CPU, but they are torch.bfloat16 on cpu"):
        PanelMatrix(weight, dtype=torch.bfloat16)
    with pytest.raises(ValueError, match="but they are torch.float32 on meta"):
        PanelMatrix(weight.to("meta"))


def test_panels_hold_each_weight_once():
    weight = torch.arange(4 * 32 * 3, dtype=torch.float32).view(4 * 32, 3)
    panels = PanelMatrix(weight, num_gates=4).panels
    assert panels.shape == (2, 4, 3, 16)
    # Gate 2, cell 17 (the second panel's second column), input 1.
    assert panels[1, 2, 1, 1] == weight[2 * 32 + 17, 1]
    assert torch.equal(panels.flatten().sort().values, weight.flatten())
