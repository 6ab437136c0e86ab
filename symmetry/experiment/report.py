"""The report of the experiment: ``mnist.md``, ``mnist.json`` and their figures.

Every number comes from the record: counts, comparisons and the core's own sums, so that the same
bytes come out on every machine.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symmetry.base.records import dump
from symmetry.experiment.data.dataset import CHECKSUMS
from symmetry.experiment.exact import Outcome
from symmetry.experiment.run import Experiment
from symmetry.experiment.settings import Settings
from symmetry.network import BITS
from symmetry.report.files import Figure, ReportFiles, plain
from symmetry.report.filling import command_line, render
from symmetry.steps.catalogue import DEAD_INPUTS
from symmetry.units import compare
from symmetry.units.words import count, groups_in_words, in_ulps

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

DRAWN_SHAPE = (28, 28)  # images of other shapes are not drawn as pictures

_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#777777"  # different to all eyes
_ONE = (0.6, 0.1, 0.5, 0.4, 0)  # margins of a figure of one panel
_TWO = (0.5, 0.15, 0.5, 0.4, 0.17)
_SCALED = (0.65, 0.1, 0.5, 0.4, 0.2)  # with scales beside the panels
_MOST_NUMBERS = 20  # classes whose counts still fit into the confusion matrix


def experiment_figures(experiment: Experiment) -> tuple[Figure, ...]:
    """Return the figures that apply to this run, in the report's order."""
    runs = {f"{experiment.settings.init} start": experiment}
    if experiment.control:
        runs["random start (control)"] = experiment.control
    counts, data = experiment.confusion, experiment.data
    guess = 100 * int(counts.sum(axis=1).max()) / len(data.test_labels)
    histories = [np.array([[p.loss, p.accuracy] for p in run.history]) for run in runs.values()]
    matrices = [part for name, run in runs.items() for part in (name.capitalize(), run.last[0])]
    curves = list(runs), guess, *histories
    wide = 4.6 * len(runs)
    figures = [
        Figure("mnist-curves.png", (9.0, 3.6), curves, _curves, 2, _TWO),
        Figure("mnist-w1.png", (wide, 5.4), tuple(matrices), _weights, 2, _SCALED),
        Figure("mnist-confusion.png", (6.0, 5.0), (counts,), _confusion, 2, _ONE),
    ]
    feature = shared_feature(experiment)
    if feature is not None and data.image_shape == DRAWN_SHAPE:
        pictures = feature.reshape(DRAWN_SHAPE), data.never_lit.reshape(DRAWN_SHAPE)
        figures.insert(2, Figure("mnist-feature.png", (5.6, 4.6), pictures, _feature, 2, _ONE))
    return tuple(figures)


def shared_feature(experiment: Experiment) -> NDArray[Any] | None:
    """Return the pixel weights, shape (i,), that all hidden units have in common at the end.

    None if the units differ, or have learned nothing that could be shown.
    """
    w1 = experiment.last[0]
    feature = w1[1:, 0]
    shown = compare.all_equal(w1.T) and np.isfinite(feature).all()
    return feature if shown and feature.any() else None


def _curves(canvas: Canvas, names: list[str], guess: float, *histories: NDArray[Any]) -> None:
    """Draw loss and accuracy by iteration, this run beside the control."""
    loss, accuracy = canvas.subplots(1, 2)
    for column, axes in enumerate((loss, accuracy)):
        for colour, name, history in zip((_BLUE, _ORANGE), names, histories, strict=False):
            values = history[:, column]
            style = "-o" if len(values) == 1 else "-"  # a line of one point is invisible
            x, finite = range(1, len(values) + 1), np.where(np.isfinite(values), values, np.nan)
            axes.plot(x, finite, style, color=colour, label=name, linewidth=2, clip_on=False)
        plain(axes)
        axes.grid(axis="y")
        axes.locator_params("x", integer=True, min_n_ticks=1)
    accuracy.axhline(guess, color=_GREY, linestyle=":", linewidth=1.2)
    above = (1, guess), (-2, 4), ("axes fraction", "data"), "offset points"
    looks: Any = {"ha": "right", "color": _GREY, "fontsize": 8.5}
    accuracy.annotate("always the commonest class", *above, **looks)
    loss.set(title="Loss, training set", xlabel="iteration")
    loss.set_ylim(bottom=0)
    accuracy.set(title="Accuracy, test set (percent)", xlabel="iteration", ylim=(0, 100))
    loss.legend(loc="best")


def _weights(canvas: Canvas, *matrices: Any) -> None:
    """Show w1, this run's beside the control's: a title, then its numbers."""
    panels = canvas.subplots(1, len(matrices) // 2, squeeze=False).flat
    for axes, title, w1 in zip(panels, matrices[::2], matrices[1::2], strict=True):
        _signed(axes, w1, aspect="auto", interpolation="nearest")
        axes.set(title=f"{title}: w1 at the end", xlabel="hidden unit")
        axes.set_ylabel("row of w1 (bias, then pixels)")
        axes.locator_params(integer=True, min_n_ticks=1)


def _feature(canvas: Canvas, picture: NDArray[Any], never_lit: NDArray[Any]) -> None:
    """Show the weights that every hidden unit has learned, pixel by pixel."""
    axes = canvas.subplots()
    _signed(axes, picture)
    axes.imshow(np.where(never_lit, 1.0, np.nan), cmap="Greys", vmin=0, vmax=4)
    axes.set(xticks=(0, 7, 14, 21, 27), yticks=(0, 7, 14, 21, 27))
    axes.set(xlabel="column of pixels", ylabel="row of pixels")
    axes.set_title("The weights of every hidden unit (grey: never lit)")


def _confusion(canvas: Canvas, counts: NDArray[Any]) -> None:
    """Show test images by label and prediction: numbers, and a colour for the label's share."""
    axes, classes = canvas.subplots(), len(counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(title="Test images by label and prediction", xlabel="predicted", ylabel="label")
    axes.tick_params(length=0)
    if classes <= _MOST_NUMBERS:
        axes.set(xticks=range(classes), yticks=range(classes))
        size = 8.5 if classes <= 10 else 6
        for (label, predicted), count in np.ndenumerate(counts):
            dark = shares[label, predicted] > 0.55
            colour = "white" if dark else "#222222" if count else "#bbbbbb"
            looks: Any = {"ha": "center", "va": "center", "color": colour, "fontsize": size}
            axes.text(predicted, label, f"{count}", **looks)
    bar = canvas.colorbar(image, ax=axes, shrink=0.8)
    bar.set_label("share of the label's images")
    bar.outline.set_visible(False)


def _signed(axes: Axes, values: NDArray[Any], **options: Any) -> None:
    """Show numbers of both signs beside their scale: white is zero, red positive, blue negative."""
    finite = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    largest = float(np.nanmax(abs(finite), initial=0.0)) or 1.0
    image = axes.imshow(finite, cmap="RdBu_r", vmin=-largest, vmax=largest, **options)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, pad=0.08)  # beside the exponent on top
    bar.ax.ticklabel_format(style="sci", scilimits=(-2, 3))
    bar.outline.set_visible(False)


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
