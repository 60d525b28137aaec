import json
import os
import subprocess
import sys

import pytest
import torch

from elmo_plugin.bilm.softmax import Softmax

GIB = 2**30


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="no /proc here to read a process's memory from")
def test_an_evaluation_over_800_000_words_takes_less_than_a_gibibyte_beyond_the_weights(project_root):
    """A quarter of a minute: it takes a process of its own, whose words, loader and characters count too."""
    script = project_root / "tests" / "training" / "evaluation_memory.py"
    environment = {**os.environ, "PYTHONPATH": str(project_root), "OMP_NUM_THREADS": "1"}
    arguments = ["800000", "8", "16", "4", "45"]
    done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    # All logits at once, in both directions, would be more than that.
    assert found["tokens"] == 4 * 45
    assert 2 * found["tokens"] * 800_000 * 4 > GIB
    assert 0 < found["beyond"] < GIB


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here: torch.cuda.is_available() is false")
def test_on_a_gpu_it_is_the_same():
    softmax = Softmax(800_000, 8).cuda()
    vectors, targets = torch.randn(360, 8, device="cuda"), torch.randint(0, 800_000, (360,), device="cuda")
    weights = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    with torch.no_grad():
        assert bool(torch.isfinite(softmax.full_loss(vectors, targets)).all())
    assert torch.cuda.max_memory_allocated() - weights < GIB
