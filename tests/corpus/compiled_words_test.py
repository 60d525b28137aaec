"""The program that counts words: that it is found, refused or done without, and does what the definitions do."""

import ctypes
import random
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from elmo_plugin.corpus import compiled_words
from elmo_plugin.corpus.compiled_words import FILE_NAMES, NUM_CODES, split_words, why_not
from elmo_plugin.corpus.ranking import rank
from elmo_plugin.corpus.word_lists import line_hashes, lines_in_order, number_words, to_lines
from elmo_plugin.corpus.words import count_sentences, count_text, number_sentences, number_text
from tests.corpus.programs import runs_here
from tests.hidden_program import hidden

FOLDER = Path(compiled_words.__file__).parent / "compiled"
SOURCES = sorted(FOLDER.glob("*.c"))
SPACES = "".join(chr(code) for code in range(0x110000) if chr(code).isspace())
# Words that begin alike, end alike, are as long as others, or longer than the program compares at once.
LIKE = ["a", "ab", "a" * 7, "a" * 8, "a" * 9, "a" * 15 + "b", "a" * 16, "b" + "a" * 15, "\x01", "a\0", "a\0\0", "\x7f"]
WIDE = ["é", "字", "“a”", "\U0001f600", "\uffff", "\u2060", "\u200b", "字" * 3, "ab" + "é" * 20, "\ufeff"]
# Too short, too long, cut off, surrogates, beyond the last code point.
BROKEN = [b"\x80", b"\xc0\xaf", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xed\xa0\x80", b"\xed\xbf\xbf"]
BROKEN += [b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff", b"\xc3", b"\xe5\xad", b"\xf0\x9f\x98", b"\xe5a\x97"]


@pytest.fixture
def no_program(tmp_path, monkeypatch):
    """A folder where it is looked for."""
    yield from hidden(compiled_words, tmp_path, monkeypatch)


def definition(data):
    """What `str.split` makes of each line; `None` where the bytes are not UTF-8."""
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        return None
    return [words for words in map(str.split, lines) if words]


def check(data):
    """The program's results are those of the definitions, bit for bit."""
    sentences, numbered, counted = definition(data), number_text(data), count_text(data)
    assert (numbered is None) == (counted is None) == (sentences is None), data
    if sentences is not None:
        for found, expected in [(numbered, number_sentences(sentences)), (counted, count_sentences(sentences))]:
            assert found.type_lines == expected.type_lines, data
            for name in {"ids", "counts", "lengths"} & set(vars(expected)):
                one, other = getattr(found, name), getattr(expected, name)
                assert one.dtype == other.dtype and np.array_equal(one, other), data


# Where it is, and where it is not


def test_without_the_program_it_says_why_and_python_does_the_work(no_program):
    assert "was not compiled when the package was installed" in why_not()
    assert number_text(b"a b") is None and count_text(b"a b") is None
    with pytest.raises(RuntimeError, match="can't run: it was not compiled"):
        split_words(b"a b", count=True)


def test_a_file_that_can_not_be_loaded_is_told(no_program):
    (no_program / FILE_NAMES[0]).write_bytes(b"no program")
    assert "can't be loaded" in why_not()


def compiled(sources, folder):
    """Compiled with every warning being an error."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler is at hand")
    options = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    done = subprocess.run(
        ["cc", *options, *map(str, sources), "-o", str(folder / FILE_NAMES[0])], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_source_compiles_as_it_is_now_and_counts_the_same(no_program):
    compiled(SOURCES, no_program)
    assert why_not() is None
    check(" ".join(LIKE + WIDE + LIKE).encode())


def test_a_program_of_another_version_is_refused(no_program):
    text, version = (FOLDER / "words.c").read_text(encoding="utf-8"), f"#define VERSION {compiled_words.VERSION}\n"
    assert version in text
    for header in FOLDER.glob("*.h"):
        shutil.copy(header, no_program)
    (no_program / "older.c").write_text(text.replace(version, "#define VERSION 0\n"), encoding="utf-8")
    compiled([no_program / "older.c"], no_program)
    assert "compiled from another version of the package" in why_not()


def test_both_sides_have_the_same_numbers_and_structure():
    text = "".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.[ch]"))
    for name in ("VERSION", "NUM_CODES", "NOT_UTF_8", "NO_MEMORY"):
        (number,) = re.findall(rf"#define {name} \(?([^\s)]+)\)?\n", text)
        assert int(number, 0) == getattr(compiled_words, name)
    (body,) = re.findall(r"^struct words {\n(.*?)^};", re.sub(r"/\*.*?\*/", "", text, flags=re.S), re.S | re.M)
    declarations = re.findall(r"([\w, *]+);", body)
    fields = [field for declared in declarations for field in re.findall(r"\w+(?=,|$)", declared)]
    assert fields == [name for name, _ in compiled_words._Words._fields_]
    assert ctypes.sizeof(compiled_words._Words) == 8 * len(fields)


def test_what_the_program_takes_for_granted_of_white_space_is_true():
    """That none is beyond its table, and none in ASCII from 33 on."""
    assert max(map(ord, SPACES)) < NUM_CODES
    assert not any(chr(code).isspace() for code in range(33, 128))


@runs_here
def test_text_that_is_too_long_for_its_numbers_is_left_to_python(monkeypatch):
    monkeypatch.setattr(compiled_words, "END_OF_SIZES", 4)
    assert count_text(b"a b") is not None and count_text(b"a bc") is None
    numbers, distinct = number_words([b"abc\n", b"d\nabc\n"])
    assert ([of_list.tolist() for of_list in numbers], distinct) == ([[0], [1, 0]], b"abc\nd\n")


@runs_here
def test_where_memory_is_short_it_is_an_error(monkeypatch):
    class Program:
        elmo_words = elmo_rank = staticmethod(lambda *arguments: compiled_words.NO_MEMORY)

    monkeypatch.setattr(compiled_words, "_loaded", Program)
    for action in (lambda: count_text(b"a b"), lambda: rank(b"a\n", np.ones(1, np.int64))):
        with pytest.raises(MemoryError, match="could not get the memory"):
            action()


# What it does


@runs_here
@pytest.mark.parametrize("data", [b"", b" ", b"\n", b" \t\n\r\x0b\x0c\x1c\n\n", b"a", b"a\n", b"\na", b"a" * 8, b"\0"])
def test_little_text(data):
    check(data)


@runs_here
def test_each_character_is_in_a_word_or_between_words_as_python_has_it():
    codes = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for begin in range(0, len(codes), 5000):
        check("".join(f"a{chr(code)}b " for code in codes[begin : begin + 5000]).encode())


@runs_here
def test_each_white_space_in_each_place_of_eight_bytes():
    for space in SPACES:
        for before in range(10):
            for behind in (0, 1, 9):
                check(("a" * before + space + "b" * behind).encode())


@runs_here
def test_random_text():
    generator = random.Random(0)
    pieces = [*LIKE, *WIDE, *SPACES, *" \n" * 20]
    for _ in range(4000):
        check("".join(generator.choices(pieces, k=generator.randrange(24))).encode())


@runs_here
def test_random_bytes():
    generator = random.Random(1)
    likely = b"ab \n\x1f\x80\x85\x9a\x9f\xa0\xbf\xc2\xe1\xe2\xe3\xf0\xf4"
    for _ in range(4000):
        check(bytes(generator.choices(likely, k=generator.randrange(9))))
        check(generator.randbytes(generator.randrange(5)))


@runs_here
@pytest.mark.parametrize("broken", BROKEN)
def test_what_is_not_utf_8_is_left_to_the_definition(broken):
    for before in range(10):
        for behind in (b"", b" ", b"a" * 9, "字".encode()):
            data = b"a" * before + broken + behind
            assert definition(data) is None
            check(data)


@runs_here
def test_every_sequence_of_two_bytes_and_every_beginning_of_longer_ones():
    for first in range(0x80, 0x100):
        for second in range(0x100):
            for rest in (b"", b"\x80", b"\xbf\xbf"):
                data = bytes([first, second]) + rest
                assert (count_text(data) is None) == (definition(data) is None), data


@runs_here
def test_more_types_than_the_table_begins_with_and_words_of_every_length():
    generator = random.Random(2)
    words = [f"{'x' * (i % 40)}{i}" for i in range(70_000)] + ["y" * length for length in (100, 5000, 1 << 20)]
    chosen = generator.choices(words, k=150_000) + words
    check("".join(word + generator.choice("  \n") for word in chosen).encode())


@runs_here
def test_words_that_differ_in_one_bit():
    bits = (1, 2, 4, 8, 16)
    words = [b"a" * place + bytes([ord("a") ^ bit]) + b"a" * (20 - place) for place in range(21) for bit in bits]
    check(b" ".join(words * 3))
    assert len(number_text(b" ".join(words)).type_lines.split()) == len(words)


# Of lists


@runs_here
def test_lists_of_words_are_numbered_as_python_does():
    generator = random.Random(3)
    words = [*LIKE, *WIDE, "", "a b", " ", "x\u2028y", "\x85", *map(str, range(300))]
    for _ in range(200):
        lists = [to_lines(generator.choices(words, k=generator.randrange(60))) for _ in range(generator.randrange(4))]
        expected = list(dict.fromkeys(word for lines in lists for word in lines.split(b"\n")[:-1]))
        numbers, distinct = number_words(lists)
        assert distinct == b"".join(word + b"\n" for word in expected)
        for of_list, lines in zip(numbers, lists):
            assert of_list.tolist() == [expected.index(word) for word in lines.split(b"\n")[:-1]]
        assert len(numbers) == len(lists)
        assert all(of_list.dtype == np.int32 for of_list in numbers)


@runs_here
def test_lists_are_hashed_ordered_and_ranked_as_python_does(monkeypatch):
    generator = random.Random(4)
    words = [*LIKE, *WIDE, "", "a b", *map(str, range(300)), "\U0001f600a", "\uffffa"]
    for size in (0, 1, 50, len(words)):
        lines = to_lines(generator.sample(words, size))
        order = np.array(generator.choices(range(size), k=size), np.int64)
        counts = np.array(generator.choices(range(1, 4), k=size), np.int64)
        found = line_hashes(lines), lines_in_order(lines, order), rank(lines, counts)
        with monkeypatch.context() as patch:
            patch.setattr(compiled_words, "_loaded", lambda: "not wanted")
            expected = line_hashes(lines), lines_in_order(lines, order), rank(lines, counts)
        assert found[1] == expected[1]
        for one, other in zip(found[::2], expected[::2]):
            assert one.dtype == other.dtype and one.tolist() == other.tolist()
