import json
import statistics
from contextlib import contextmanager

import numpy
import pytest
import torch
from allennlp.commands import main
from allennlp.common.checks import ConfigurationError

from elmo_plugin.benchmark.contest import Times, contest, peak_memory
from elmo_plugin.benchmark.inference import (
    NOT_COMPILED,
    OURS,
    PACKED,
    THEIRS,
    Disagreement,
    check_agreement,
    errors,
    readers,
)
from elmo_plugin.benchmark.machine import Machine, measure_machine
from elmo_plugin.benchmark.report import Case, rows, table
from elmo_plugin.benchmark.shapes import encoder_operations, lstm_operations, options_of_size
from elmo_plugin.benchmark.text import generate_sentences, generate_words
from elmo_plugin.benchmark.training import THEIRS as PARTS
from elmo_plugin.benchmark.training import THEIRS_KEPT, settings, steps, trainers
from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.ops.compiled_program import PanelMatrix, why_not
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.kept_memory import can_keep_memory

CPU = torch.device("cpu")
TINY = {
    "char_cnn": {"embedding": {"dim": 4}, "filters": [[1, 4], [2, 8]], "max_characters_per_token": 50, "n_highway": 1},
    "lstm": {
        "dim": 16,
        "projection_dim": 8,
        "n_layers": 2,
        "cell_clip": 3,
        "proj_clip": 3,
        "use_skip_connections": True,
    },
    "n_tokens_vocab": 200,
}


@pytest.fixture
def options():
    return BilmOptions.from_dict(TINY)


def test_generated_text_is_as_long_and_as_repetitive_as_wikitext_2():
    sentences = generate_sentences(6000)
    lengths = [len(sentence) for sentence in sentences]
    assert statistics.mean(lengths) == pytest.approx(25.9, rel=0.03)
    assert statistics.stdev(lengths) == pytest.approx(13.2, rel=0.05)
    # Distinct words in 1, 32, 128 and 512 sentences that follow one another, in WikiText-2's training text.
    for number, expected in ((1, 22.1), (32, 343), (128, 965), (512, 2762)):
        blocks = [sentences[begin : begin + number] for begin in range(600, 6000 - number, number)]
        found = statistics.mean(len({word for sentence in block for word in sentence}) for block in blocks)
        assert found == pytest.approx(expected, rel=0.06)


def test_generated_words_are_distinct_and_as_long_as_english_ones():
    words = generate_words(33_000)
    assert len(set(words)) == 33_000
    # Mean bytes of WikiText-2's words of these ranks.
    for begin, end, expected in ((10, 100, 3.3), (100, 1000, 5.4), (1000, 10000, 6.7), (10000, 33000, 7.3)):
        assert numpy.mean([len(word) for word in words[begin:end]]) == pytest.approx(expected, rel=0.12)


def test_the_same_seed_gives_the_same_text():
    assert generate_sentences(50, seed=3) == generate_sentences(50, seed=3) != generate_sentences(50, seed=4)


def test_contenders_take_turns_and_each_does_every_batch():
    calls = []
    contenders = {name: (lambda batch, name=name: calls.append((name, batch))) for name in "ab"}
    times = contest(contenders, [1, 2, 3], CPU)
    assert calls == [("a", 1), ("b", 1), ("a", 1), ("b", 1), ("b", 2), ("a", 2), ("a", 3), ("b", 3)]
    assert {name: len(found.seconds) for name, found in times.items()} == {"a": 3, "b": 3}


def test_a_turn_in_a_setting_does_its_batch_twice_and_the_second_time_counts(monkeypatch):
    calls = []

    @contextmanager
    def setting():
        calls.append("in")
        yield
        calls.append("out")

    def timed(action, device):
        action()
        calls.append("timed")
        return 1.0

    monkeypatch.setattr("elmo_plugin.benchmark.contest.seconds_of", timed)
    contenders = {name: (lambda batch, name=name: calls.append(name)) for name in "ab"}
    contest(contenders, [1], CPU, settings={"a": setting})
    assert calls == ["in", "a", "out", "b", "in", "a", "a", "timed", "out", "b", "b", "timed"]


def test_the_peak_is_measured_between_turns_where_that_is_asked_for(monkeypatch):
    peaks = iter([10.0, 20.0, 40.0, 20.0, 10.0])
    monkeypatch.setattr("elmo_plugin.benchmark.contest.product_peak", lambda device, rounds: next(peaks))
    times = contest({"a": lambda batch: None, "b": lambda batch: None}, [1, 2], CPU, with_peaks=True)
    # The second round begins with the other one.
    assert times["a"].peaks == [15.0, 15.0] and times["b"].peaks == [30.0, 30.0]
    assert contest({"a": lambda batch: None}, [1], CPU)["a"].peaks == []


def test_the_memory_of_an_action_is_seen():
    needed = peak_memory(lambda: torch.ones(1 << 24).sum(), CPU)
    if needed is None:
        pytest.skip("this system does not tell a process's largest size")
    assert 0.8 * 2**26 < needed < 3 * 2**26


def test_the_machine_is_measured():
    machine = measure_machine(CPU, rounds=1)
    assert machine.peak > 1e8 and machine.bandwidth > 1e8 and machine.threads == torch.get_num_threads()


def test_operations_of_the_original_are_the_papers():
    options = options_of_size("original", 1000)
    # Two directions and layers of (512 + 512) x 16,384 and 4,096 x 512 numbers, each multiplied and added.
    assert lstm_operations(options) == 2 * 2 * 2 * (1024 * 16384 + 4096 * 512)
    # Two highways of 2,048 by 4,096, and 2,048 by 512.
    assert encoder_operations(options) == 2 * (2 * 2048 * 4096 + 2048 * 512)
    with pytest.raises(ValueError, match="`size` must be one of small, medium, original, but it is 'huge'"):
        options_of_size("huge", 1000)


@pytest.mark.parametrize("widths", [(12, 8), (32, 16)])
def test_all_readers_give_the_same_vectors(widths):
    cell_dim, projection_dim = widths
    lstm = {**TINY["lstm"], "dim": cell_dim, "projection_dim": projection_dim}
    options = BilmOptions.from_dict({**TINY, "lstm": lstm})
    sentences = generate_sentences(12, num_types=100)
    contenders = readers(options, CPU, sentences)
    is_compiled = projection_dim == 16 and why_not() is None
    assert (NOT_COMPILED in contenders) == is_compiled
    if is_compiled:
        contenders[NOT_COMPILED](sentences)
        (reader,) = contenders[NOT_COMPILED].args
        assert not isinstance(reader._reading_model().forward_lstm.layers[0].recurrent, PanelMatrix)
    ours = [contenders[name](sentences) for name in contenders if name not in (THEIRS, *PACKED.values())]
    assert len(ours) == 2 + is_compiled
    for one, *others in zip(*ours):
        for other in others:
            numpy.testing.assert_allclose(one, other, atol=1e-5 * float(numpy.abs(one).max()))
    assert contenders[THEIRS](sentences).shape == (12, max(map(len, sentences)), 2 * projection_dim)


def test_fewer_bits_have_a_small_error(options):
    sentences = generate_sentences(6, num_types=100)
    found = errors(readers(options, CPU, sentences), sentences)
    half, eight = (found[PACKED[weights]] for weights in ("float16", "int8"))
    assert 0 < half < 1e-3 < eight < 0.1


def test_contenders_that_disagree_are_not_timed(options):
    sentences = generate_sentences(3, num_types=100)
    bilm = Bilm(options).eval()
    with pytest.raises(Disagreement, match="Sentence 0: the vectors differ from AllenNLP's by"):
        check_agreement(bilm, lambda batch: torch.ones(3, max(map(len, batch)), 16), sentences)


def test_trainers_learn_the_same_window(options):
    window = steps(options, 4, 5, 1, CPU)[0]
    assert window.forward_inputs.shape == (4, 5) and window.types.shape[1] == 50
    for name, step in trainers(options, 20, CPU).items():
        torch.manual_seed(0)
        losses = [float(step(window)) for _ in range(60)]
        assert statistics.mean(losses[-10:]) < statistics.mean(losses[:10]), name


def test_the_report_gives_rates_ratios_and_shares():
    machine = Machine("cpu", 2, 1e6, 1e9, None, "AVX2")
    times = {OURS: Times([1.0, 2.0, 1.0], 1 << 20), THEIRS: Times([4.0, 4.0, 6.0], None)}
    operations = {OURS: [1e5, 2e5, 1e5], THEIRS: [2e5, 4e5, 2e5]}
    case = Case("a case", [100, 200, 100], operations, times, THEIRS, {OURS: 0.01})
    ours, theirs = rows(case, machine)
    assert (ours["tokens_per_second"], ours["ratio"], ours["share_of_peak"]) == (100.0, 4.0, 0.1)
    with_peaks = {**times, OURS: times[OURS]._replace(peaks=[1e6, 2e6, 4e6])}
    ours_in_turns, _ = rows(case._replace(times=with_peaks), machine)
    # 100,000 operations a second: 10, 5 and 2.5 % of the peaks about the rounds.
    assert ours_in_turns["share_of_peak"] == 0.05 and ours_in_turns["peaks"] == [1e6, 2e6, 4e6]
    assert theirs["ratio"] == 1.0 and theirs["tokens_per_second"] == 25.0
    assert "| a case | elmo_plugin | 100 ± 0% | 4.00 | 10% | 1 MB | 1.0e-02 |" in table([case], machine)
    assert "read at 1.0 GB/s. The program in C is compiled, for AVX2.\n" in table([case], machine)
    assert "would be faster, but it was not." in table([case], machine._replace(no_program="it was not."))
    assert "read at 1.0 GB/s.\n" in table([case], machine._replace(device="cuda:0"))


def call(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["allennlp", "elmo-benchmark", *arguments])
    main()


def test_the_command_prints_a_table_and_writes_json(monkeypatch, tmp_path, capsys, options):
    monkeypatch.setattr("elmo_plugin.commands.elmo_benchmark.options_of_size", lambda size, num_words: options)
    monkeypatch.setattr("elmo_plugin.commands.elmo_benchmark.NUM_SAMPLES", {"small": 20})
    monkeypatch.setattr("elmo_plugin.commands.elmo_benchmark.NUM_WORDS", 200)
    target = tmp_path / "numbers.json"
    cases = ["inference", "single", "bulk", "training"]
    call(
        monkeypatch, "--cases", *cases, "--rounds", "2", "--batch-size", "4", "--bulk-size", "8", "--json", str(target)
    )
    printed = capsys.readouterr().out
    assert "| small, 4 sentences | elmo_plugin |" in printed and "| small, training, 4 x 20" in printed
    content = json.loads(target.read_text())
    trained = [row for row in content["rows"] if "training" in row["case"]]
    assert [row["contender"] for row in trained] == [OURS, PARTS, *([THEIRS_KEPT] if can_keep_memory() else [])]
    assert [row["ratio"] for row in trained if row["contender"] == PARTS] == [1.0]
    assert len(content["rows"]) == 3 * 5 + len(trained)
    assert all(len(row["seconds"]) == 2 and row["tokens_per_second"] > 0 for row in content["rows"])


def test_training_on_a_gpu_or_with_memory_as_the_user_says_has_no_settings(monkeypatch, options):
    assert settings(torch.device("cuda")) == {}
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "1000000")
    assert settings(CPU) == {} and [*trainers(options, 20, CPU)] == [OURS, PARTS]


def test_allennlp_may_be_left_out(monkeypatch, capsys, options):
    monkeypatch.setattr("elmo_plugin.commands.elmo_benchmark.options_of_size", lambda size, num_words: options)
    monkeypatch.setattr("elmo_plugin.commands.elmo_benchmark.NUM_SAMPLES", {"small": 20})
    monkeypatch.setattr("elmo_plugin.commands.elmo_benchmark.NUM_WORDS", 200)
    call(
        monkeypatch, "--cases", "bulk", "training", "--rounds", "1", "--batch-size", "4", "--bulk-size", "4", "--alone"
    )
    printed = capsys.readouterr().out
    assert "| small, 4 sentences by length | elmo_plugin |" in printed and "| small, training, 4 x 20" in printed
    assert "AllenNLP" not in printed


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--rounds", "0"], "--rounds must be 1 or more, but it is 0"),
        (["--batch-size", "-1"], "--batch-size must be 1 or more"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(monkeypatch, arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        call(monkeypatch, *arguments)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_named(monkeypatch):
    with pytest.raises(ConfigurationError, match="torch finds no GPU here"):
        call(monkeypatch, "--cuda-device", "0")
