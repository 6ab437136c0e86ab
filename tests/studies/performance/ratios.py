"""``python -m tests.studies.performance.ratios``: the core beside NumPy, on one thread.

Processor time instead of the clock's, both in turn, medians: for judging a change on a machine that
does other things as well. `python -m tests.studies.performance` makes the report.
"""

from __future__ import annotations

import argparse
import sys
import time
from statistics import median

from threadpoolctl import threadpool_limits

from tests.studies.performance.contestants import contestant
from tests.studies.performance.measure import Setting


def parse(arguments: list[str]) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(prog="python -m tests.studies.performance.ratios")
    parser.add_argument("--shares", type=float, nargs="*", default=[0, 0.25, 0.5, 0.75, 0.9, 1])
    parser.add_argument("--mnist", action="store_true", help="MNIST beside the made-up inputs")
    parser.add_argument("--hidden", type=int, nargs="+", default=[1, 16, 105, 200, 800])
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"])
    parser.add_argument("--samples", type=int, default=12_000)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args(arguments)


def seconds(setting: Setting, rounds: int) -> dict[str, float]:
    """Return the median processor time of an iteration of NumPy and of the core."""
    problem = setting.problem()
    sizes = setting.hidden, setting.dtype, 1
    contestants = {name: contestant(name, problem, *sizes) for name in ("NumPy", "core")}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(1 + rounds):
        for name, advance in contestants.items():
            start = time.process_time()
            advance()
            times[name].append(time.process_time() - start)
    return {name: median(measured[1:]) for name, measured in times.items()}


def main(arguments: list[str]) -> None:
    """Print a line for each setting."""
    options = parse(arguments)
    print("dtype    hidden  nonzero   NumPy ms   core ms   ratio")
    for dtype in options.dtypes:
        for hidden in options.hidden:
            for share in [*([None] if options.mnist else []), *options.shares]:
                setting = Setting(options.samples, hidden, share, dtype, 1)
                with threadpool_limits(1, "blas"):
                    found = seconds(setting, options.rounds)
                numpy, core = found["NumPy"], found["core"]
                kind = "  MNIST" if share is None else f"{share:7.0%}"
                print(
                    f"{dtype}  {hidden:6} {kind}  {1e3 * numpy:9.1f} {1e3 * core:9.1f}"
                    f"  {numpy / core:6.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main(sys.argv[1:])
