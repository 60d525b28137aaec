"""
On a local cluster of two workers, machines of one processor each as far as Ray knows. `ray_cluster_test.py` runs these
in a process of their own.
"""

import functools
import os
import sys
import time

import pytest

from elmo_plugin.corpus import prepare, ray_cluster
from elmo_plugin.corpus.prepare import prepare_corpus, prepare_vocabulary
from elmo_plugin.corpus.work import Work
from tests.corpus.corpora import settings, snapshot, write

ray = pytest.importorskip("ray", reason="ray is not installed")

LINES = [f"the cat number {i} sat on the {'mat' if i % 3 else 'roof'} word{i // 4} ." for i in range(60)]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        # Ray's workers are too polite to get anywhere on a busy machine.
        patch.setenv("RAY_worker_niceness", "0")
        try:
            cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
            cluster.add_node(num_cpus=1)
        except Exception as error:  # Ray raises no class of its own where a machine is too busy for its 30 seconds.
            if "timed out" not in str(error).lower():
                raise
            pytest.skip(f"Ray did not start: {error}")
        ray.init(cluster.address, log_to_driver=False, logging_level="warning")
        yield cluster
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def map_on_ray(tmp_path):
    with ray_cluster.ray_cluster(None, 1, tmp_path, {}) as map_in_order:
        yield map_in_order


def square(number):
    return number * number


def meet(folder, _):
    """The machine of this task, as soon as there were tasks on two; a machine alone gives up after minutes."""
    machine = ray.get_runtime_context().get_node_id()
    (folder / machine).touch()
    deadline = time.monotonic() + 300
    while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    return machine


def fail(number):
    raise ValueError(f"number {number}")


def die_once(marker):
    if not marker.exists():
        marker.touch()
        os._exit(1)
    return "done"


def test_results_come_in_the_order_of_the_items_from_both_workers(map_on_ray, tmp_path):
    assert list(map_on_ray(square, range(40))) == [i * i for i in range(40)]
    (tmp_path / "machines").mkdir()
    assert len(set(map_on_ray(functools.partial(meet, tmp_path / "machines"), range(6)))) == 2


def test_items_are_not_taken_far_ahead(map_on_ray):
    taken = []

    def items():
        for i in range(100):
            taken.append(i)
            yield i

    results = map_on_ray(square, items())
    next(results)
    assert len(taken) < 10
    results.close()


def test_an_error_of_a_task_is_raised_as_it_was(map_on_ray):
    with pytest.raises(ValueError) as caught:
        list(map_on_ray(fail, range(3)))
    assert type(caught.value) is ValueError and str(caught.value) == "number 0"


def test_what_a_worker_leaves_when_it_dies_is_done_by_another(map_on_ray, tmp_path):
    assert list(map_on_ray(die_once, [tmp_path / "marker"])) == ["done"]


@pytest.mark.parametrize(
    "changes",
    [{}, {"segmenter": "characters", "language": "zh", "presplit": False}, {"id_vocabulary": "ids.txt"}],
    ids=["words", "documents", "ids"],
)
def test_a_cluster_writes_the_bytes_that_processes_write(tmp_path, monkeypatch, changes):
    monkeypatch.setitem(prepare._BLOCK_BYTES, "whitespace", 300)
    monkeypatch.setattr(prepare, "_SLOW_BLOCK_BYTES", 300)
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "ids.txt", [f"w{i}" for i in range(60)])
    lines = [f"{i} 7;0 0;0 1;0" for i in range(60)] if "id_vocabulary" in changes else LINES
    path = write(tmp_path / "text.txt", [*lines, "not an id line", "\x00"])
    work = Work(engine="ray")
    prepare_corpus([path], tmp_path / "processes", settings(shards=4, **changes), Work(processes=2))
    prepare_corpus([path], tmp_path / "ray", settings(shards=4, **changes), work)
    assert snapshot(tmp_path / "ray") == snapshot(tmp_path / "processes")
    assert not list(tmp_path.glob(".*"))


def test_a_cluster_counts_and_goes_on_where_processes_were_interrupted(tmp_path, monkeypatch):
    monkeypatch.setitem(prepare._BLOCK_BYTES, "whitespace", 300)
    path = write(tmp_path / "text.txt", LINES)
    expected = prepare_vocabulary([path], tmp_path / "processes", settings())
    with monkeypatch.context() as patch:
        patch.setattr(prepare, "TypeMerger", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            prepare_vocabulary([path], tmp_path / "ray", settings(), Work(processes=2))
    blocks = {file: file.stat().st_mtime_ns for file in tmp_path.glob(".ray.unfinished/scratch/*.json")}
    assert len(blocks) >= 5
    found = prepare_vocabulary([path], tmp_path / "ray", settings(), Work(engine="ray"))
    assert found == expected and snapshot(tmp_path / "ray") == snapshot(tmp_path / "processes")


def test_strict_stops_and_leaves_nothing(tmp_path):
    (tmp_path / "text.txt").write_bytes(b"fine\n\xff\n")
    with pytest.raises(ValueError, match="text.txt:2: byte 5"):
        work = Work(strict=True, engine="ray")
        prepare_corpus([str(tmp_path / "text.txt")], tmp_path / "out", settings(), work)
    assert [entry.name for entry in tmp_path.iterdir()] == ["text.txt"]


def see_nothing(item):
    return False, {}


def test_a_machine_that_does_not_see_the_output_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_cluster, "_look", see_nothing)
    with pytest.raises(ValueError, match=f"of the Ray cluster does not see what is in {tmp_path}; OUTDIR has to be in"):
        with ray_cluster.ray_cluster(None, 1, tmp_path / "not yet there", {}):
            pass
    assert list(tmp_path.iterdir()) == []


def lack_something(item):
    raise ModuleNotFoundError("No module named 'elmo_plugin'")


def test_a_machine_without_this_package_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(ray_cluster, "_look", lack_something)
    with pytest.raises(ValueError, match="lacks something .No module named 'elmo_plugin'.; install this package on"):
        with ray_cluster.ray_cluster(None, 1, tmp_path, {}):
            pass


def test_a_machine_with_other_versions_is_named(tmp_path):
    with pytest.raises(ValueError, match="other versions, {'spacy': '.*'}, than this machine, {'spacy': '0.1'}"):
        with ray_cluster.ray_cluster(None, 1, tmp_path, {"spacy": "0.1"}):
            pass


def modules(_):
    return sorted({"allennlp", "elmo_plugin"} & {name for name, module in sys.modules.items() if module is not None})


def test_workers_import_what_they_need_and_no_more(map_on_ray):
    assert list(map_on_ray(modules, [0])) == [["elmo_plugin"]]


def test_a_cluster_that_is_not_there_is_named(monkeypatch):
    def refuse(*arguments, **options):
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ValueError, match=r"ray_address: no Ray cluster at 'far:1' \(nobody answers\).*--ray-address"):
        ray_cluster._connect("far:1", 1)


def test_without_an_address_a_cluster_of_this_machine_is_started(monkeypatch):
    started = []
    monkeypatch.setattr(ray, "init", lambda *arguments, **options: started.append((arguments, options["num_cpus"])))
    ray_cluster._connect(None, 3)
    assert started == [(("local",), 3)]
