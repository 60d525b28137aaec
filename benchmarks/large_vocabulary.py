"""
How long a step of the sampled softmax takes with dense and with sparse gradients, as the vocabulary grows:

    python benchmarks/large_vocabulary.py --projection-dim 128 --tokens 1280 --samples 1024 --words 33000 800000

A step is loss, gradients, clipping by norm and Adagrad, of the softmax alone; `--tokens` are those of both directions.
Milliseconds, the median of five, on one core. Nothing else should run on the machine.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from elmo_plugin.bilm.softmax import Softmax  # noqa: E402
from elmo_plugin.compat.sparse_gradient_norm import clip_grad_norm_  # noqa: E402


def milliseconds(num_words: int, projection_dim: int, num_tokens: int, num_samples: int, sparse: bool) -> float:
    torch.manual_seed(0)
    softmax = Softmax(num_words, projection_dim, sparse)
    optimizer = torch.optim.Adagrad(softmax.parameters(), lr=0.2, initial_accumulator_value=1.0)
    times = []
    for _ in range(5):
        vectors = torch.randn(num_tokens, projection_dim, requires_grad=True)
        targets = (torch.rand(num_tokens) ** 3 * num_words).long()
        start = time.perf_counter()
        optimizer.zero_grad()
        softmax.sampled_loss(vectors, targets, num_samples).mean().backward()
        clip_grad_norm_(softmax.parameters(), 10.0)
        optimizer.step()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--projection-dim", type=int, default=128)
    parser.add_argument("--tokens", type=int, default=1280)
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--words", type=int, nargs="+", default=[33_000, 100_000, 800_000])
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.sparse.check_sparse_tensor_invariants.disable()
    print("| words | dense, ms | sparse, ms |\n|---|---|---|")
    for num_words in args.words:
        sizes = (num_words, args.projection_dim, args.tokens, args.samples)
        dense, sparse = (milliseconds(*sizes, sparse=is_sparse) for is_sparse in (False, True))
        print(f"| {num_words:,} | {dense:.0f} | {sparse:.0f} |", flush=True)


if __name__ == "__main__":
    main()
