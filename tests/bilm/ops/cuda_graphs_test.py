"""In what order a function is captured, with stand-ins for streams and graphs: `gpu_test.py` has them for real."""

from contextlib import contextmanager

import pytest
import torch

from elmo_plugin.bilm.ops import cuda_graphs
from elmo_plugin.bilm.ops.cuda_graphs import NUM_WARM_UPS, capture, stream_of

GPU = torch.device("cuda", 0)


class Stream:
    cuda_stream = 7

    def __init__(self, name, events):
        self.name, self.events = name, events

    def wait_stream(self, other):
        self.events.append(f"{self.name} waits for {other.name}")


class Streams:
    """What `torch.cuda` has of streams and graphs; `events` says what happened, and on which stream."""

    def __init__(self, patch):
        self.events = []
        self.current = self.main = Stream("main", self.events)
        patch.setattr(torch.cuda, "current_stream", lambda device: self.current)
        patch.setattr(torch.cuda, "Stream", lambda device: Stream("side", self.events))
        patch.setattr(torch.cuda, "stream", self._stream)
        patch.setattr(torch.cuda, "graph", self._graph)
        patch.setattr(torch.cuda, "graph_pool_handle", lambda: "a new pool")
        patch.setattr(torch.cuda, "CUDAGraph", lambda: self)

    def replay(self):
        self.events.append(f"replay on {self.current.name}")

    @contextmanager
    def _stream(self, stream):
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    @contextmanager
    def _graph(self, graph, pool, stream, capture_error_mode):
        self.events.append(f"capture on {stream.name} from {pool}, {capture_error_mode}")
        # Torch's does not go back to the stream before where capturing fails.
        self.current = stream
        yield
        self.events.append("captured")


@pytest.fixture
def streams(monkeypatch):
    cuda_graphs._side_stream.cache_clear()
    yield Streams(monkeypatch)
    cuda_graphs._side_stream.cache_clear()


def test_it_warms_up_and_captures_on_a_side_stream_and_replays_on_the_current_one(streams):
    def function():
        streams.events.append(f"run on {streams.current.name}")
        return "outputs"

    captured = capture(function, GPU)
    captured.replay()
    assert streams.events == [
        "side waits for main",
        *NUM_WARM_UPS * ["run on side"],
        "capture on side from a new pool, thread_local",
        "run on side",
        "captured",
        "main waits for side",
        "replay on main",
    ]
    assert captured.outputs == "outputs" and captured.pool == "a new pool"


def test_a_graph_may_share_the_pool_of_an_earlier_one(streams):
    assert capture(lambda: None, GPU, "its pool").pool == "its pool"
    assert "capture on side from its pool, thread_local" in streams.events


@pytest.mark.parametrize("failing", [1, NUM_WARM_UPS + 1])
def test_where_it_fails_the_current_stream_is_what_it_was_and_goes_on_behind_the_other(failing, streams):
    runs = []

    def function():
        runs.append(1)
        if len(runs) == failing:
            raise RuntimeError("not permitted")

    with pytest.raises(RuntimeError, match="not permitted"):
        capture(function, GPU)
    assert streams.current is streams.main and streams.events[-1] == "main waits for side"


def test_streams_are_told_apart_on_a_gpu_only(streams):
    assert stream_of(GPU) == 7
    assert stream_of(torch.device("cpu")) is None
