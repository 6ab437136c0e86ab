"""The report of the experiment: ``mnist.md``, ``mnist.json`` and their figures.

Every number comes from the record: counts, comparisons and the core's own sums, so that the same
bytes come out on every machine.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.base.records import dump
from symmetry.experiment.data.mnist import CHECKSUMS
from symmetry.experiment.exact import Outcome
from symmetry.experiment.figures import experiment_figures, shared_feature
from symmetry.experiment.run import Experiment
from symmetry.experiment.settings import Settings
from symmetry.network import BITS
from symmetry.report.files import ReportFiles
from symmetry.report.filling import command_line, render
from symmetry.steps.catalogue import DEAD_INPUTS
from symmetry.units import compare
from symmetry.units.words import count, groups_in_words, in_ulps

MARKDOWN, JSON = "mnist.md", "mnist.json"

_TEMPLATE = Path(__file__).with_name("mnist.md.jinja")
_LISTED = 10  # lines of the table of losses, about


def render_experiment(experiment: Experiment) -> ReportFiles:
    """Return the files of the report."""
    words = verdict, np.count_nonzero, _values, _row, _exactly, _repeated
    text = render(_TEMPLATE, *words, **_facts(experiment))
    return ReportFiles({MARKDOWN: text, JSON: _json(experiment)}, experiment_figures(experiment))


def verdict(outcome: Outcome, settings: Settings) -> str:
    """Return the verdict of one invariant."""
    if outcome.holds is None:
        return "not judged: the units did not start identical"
    if outcome.split is not None:
        dead = outcome.name == DEAD_INPUTS
        where = "" if dead else f" ({groups_in_words(outcome.split.groups)})"
        return f"violated in iteration {outcome.split.step:,}{where}"
    if not outcome.counted:
        return "vacuous: nothing moved that could have become different"
    if settings.collapsed and outcome.name != DEAD_INPUTS:
        return "holds by construction"
    return "holds"


def in_short(outcome: Outcome, settings: Settings) -> str:
    """Return one invariant's outcome as a line for the terminal."""
    return (
        f"{verdict(outcome, settings)}; {count(outcome.iterations, 'iteration')} compared, "
        f"{outcome.distinct:,} distinct at the end, largest deviation {in_ulps(outcome.max_ulps)}"
    )


def _facts(experiment: Experiment) -> dict[str, Any]:
    """Return the values of the template."""
    settings, data = experiment.settings, experiment.data
    (_, first_w2), (w1, w2) = experiment.first, experiment.last
    own_data = data.files == CHECKSUMS
    failed = [(o.split.step, o) for o in experiment.outcomes if o.holds is False and o.split]
    finite = all(np.isfinite(weights).all() for weights in experiment.last)
    at_zero = np.logical_not(w1[1:].any(axis=1))
    every = max(settings.iterations // _LISTED, 1)
    return {
        "run": experiment,
        "first_failed": min(failed, key=lambda pair: pair[0], default=(0, None))[1],
        "diverged": None if finite else experiment.outcomes[0].iterations,
        "listed": sorted({1, *range(every, settings.iterations, every), settings.iterations}),
        "feature": shared_feature(experiment),
        "columns_of_w2": [compare.distinct(w[1:].T.copy()) for w in (first_w2, w2)],
        "class_counts": np.bincount(data.train_labels, minlength=data.classes),
        "dead_at_zero": np.count_nonzero(at_zero & data.never_lit),
        "live_at_zero": np.count_nonzero(at_zero & ~data.never_lit),
        "bits": BITS,
        "digests": _digests(experiment),
        "command": _command(settings, own_data=own_data, classes=data.classes),
        "own_data": own_data,
        "own_run": own_data and settings == Settings() and data.classes == 10,
    }


def _command(settings: Settings, *, own_data: bool, classes: int) -> str:
    """Return the line that repeats the run; the places of its files are for the reader to fill."""
    usual = vars(Settings())
    options = {
        "data": None if own_data else "DIR",
        "classes": None if classes == 10 else classes,
        **{key: value for key, value in vars(settings).items() if value != usual[key]},
    }
    if "control" in options:
        options["no_control"] = not options.pop("control")
    return command_line("run", **options, output="REPORTS" if any(options.values()) else None)


def _row(values: NDArray[Any]) -> str:
    """Return a row of numbers as NumPy shows it: only both ends of a long one."""
    looks: Any = {"float_kind": "{: .6e}".format}
    return np.array2string(values, 10**6, formatter=looks, threshold=10, edgeitems=3)


def _exactly(value: Any) -> str:
    """Return a weight with as many digits as distinguish it from its neighbours."""
    return f"{float(value):.{9 if value.dtype == np.float32 else 17}g}"


def _repeated(column: NDArray[Any]) -> str:
    """Return the value that a column of w2 repeats, or how many values it has."""
    return _exactly(column[0]) if _values(column) == 1 else f"{_values(column):,} values"


def _values(numbers: NDArray[Any]) -> int:
    """Return how many different values there are."""
    return compare.distinct(numbers[:, None])


def _digests(experiment: Experiment) -> dict[str, str]:
    """Return the SHA-256 of the final weights' bytes, in C order and little-endian."""
    little = (w.astype(w.dtype.newbyteorder("<"), order="C") for w in experiment.last)
    w1, w2 = (hashlib.sha256(weights.tobytes()).hexdigest() for weights in little)
    return {"w1_sha256": w1, "w2_sha256": w2}


def _json(experiment: Experiment) -> str:
    """Return the record for programs; its shape is a promise."""
    settings, data, control = experiment.settings, experiment.data, experiment.control
    verdicts = ("name", "holds", "iterations", "max_ulps", "distinct")
    sizes = {"train": len(data.train_labels), "test": len(data.test_labels)}
    record = {
        "dataset": {"name": data.name, "files": data.files, **sizes},
        "config": {key: value for key, value in vars(settings).items() if key != "control"},
        "bits": BITS,
        "history": experiment.history,
        "weights": _digests(experiment),
        "invariants": [{key: getattr(o, key) for key in verdicts} for o in experiment.outcomes],
        "control": control
        and {
            "seed": control.settings.seed,
            "history": control.history,
            "distinct": control.distinct,
        },
        "collapsed": experiment.differences,
    }
    return dump(record) + "\n"
