"""The pictures of the experiment's report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symmetry.experiment import Experiment, Point
from symmetry.report.figure import Figure, plain
from symmetry.units import compare
from symmetry.units.compare import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

DRAWN_SHAPE = (28, 28)  # images of other shapes are not drawn as pictures

_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#777777"  # told apart by everyone's eyes
_MARGINS = (0.6, 0.1, 0.5, 0.4, 0)  # of a single panel
_MOST_NUMBERS = 20  # classes whose counts still fit into the confusion matrix


def experiment_figures(experiment: Experiment) -> tuple[Figure, ...]:
    """Return the figures that apply to this run, in the report's order."""
    figures = [_curves(experiment), _weights(experiment)]
    feature = shared_feature(experiment)
    if feature is not None and experiment.data.image_shape == DRAWN_SHAPE:
        figures.append(_feature(experiment, feature))
    return (*figures, _confusion(experiment))


def shared_feature(experiment: Experiment) -> NDArray[Any] | None:
    """Return the pixel weights, shape (i,), that all hidden units have in common at the end.

    None if the units differ, or have learned nothing that could be shown.
    """
    w1 = experiment.last[0]
    feature = w1[1:, 0]
    shown = compare.all_equal(w1.T) and np.isfinite(feature).all()
    return feature if shown and feature.any() else None


def _runs(experiment: Experiment) -> list[tuple[str, tuple[Point, ...], Floats]]:
    """Return name, history and final w1 of this run, and of its control."""
    runs = [(f"{experiment.settings.init} start", experiment.history, experiment.last[0])]
    if control := experiment.control:
        runs.append(("random start (control)", control.history, control.last[0]))
    return runs


def _curves(experiment: Experiment) -> Figure:
    """Draw loss and accuracy by iteration, this run beside the control."""
    runs = _runs(experiment)
    guess = 100 * int(experiment.confusion.sum(axis=1).max()) / len(experiment.data.test_labels)

    def draw(canvas: Canvas) -> None:
        loss, accuracy = canvas.subplots(1, 2)
        for axes, what in ((loss, "loss"), (accuracy, "accuracy")):
            for colour, (name, history, _) in zip((_BLUE, _ORANGE), runs, strict=False):
                values = [getattr(point, what) for point in history]
                finite = np.where(np.isfinite(values), values, np.nan)
                style = "-o" if len(values) == 1 else "-"  # a line of one point is invisible
                x = range(1, len(values) + 1)
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

    shows = [np.array([[p.loss, p.accuracy] for p in history]) for _, history, _ in runs]
    names = [name for name, _, _ in runs]
    margins = (0.5, 0.15, 0.5, 0.4, 0.17)
    return Figure("mnist-curves.png", (9.0, 3.6), (names, guess, *shows), draw, 2, margins)


def _weights(experiment: Experiment) -> Figure:
    """Show w1, this run's beside the control's."""
    panels = [(name.capitalize(), w1) for name, _, w1 in _runs(experiment)]

    def draw(canvas: Canvas) -> None:
        beside = canvas.subplots(1, len(panels), squeeze=False).flat
        for axes, (title, w1) in zip(beside, panels, strict=True):
            _signed(axes, w1, aspect="auto", interpolation="nearest")
            axes.set(title=f"{title}: w1 at the end", xlabel="hidden unit")
            axes.set_ylabel("row of w1 (bias, then pixels)")
            axes.locator_params(integer=True, min_n_ticks=1)

    shows = [part for title, w1 in panels for part in (title, w1)]
    margins = (0.65, 0.1, 0.5, 0.4, 0.2)
    return Figure("mnist-w1.png", (4.6 * len(panels), 5.4), tuple(shows), draw, 2, margins)


def _feature(experiment: Experiment, feature: NDArray[Any]) -> Figure:
    """Show the weights that every hidden unit has learned, pixel by pixel."""
    picture = feature.reshape(DRAWN_SHAPE)
    never_lit = experiment.data.never_lit.reshape(DRAWN_SHAPE)

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        _signed(axes, picture)
        axes.imshow(np.where(never_lit, 1.0, np.nan), cmap="Greys", vmin=0, vmax=4)
        axes.set(xticks=(0, 7, 14, 21, 27), yticks=(0, 7, 14, 21, 27))
        axes.set(xlabel="column of pixels", ylabel="row of pixels")
        axes.set_title("The weights of every hidden unit (grey: never lit)")

    return Figure("mnist-feature.png", (5.6, 4.6), (picture, never_lit), draw, 2, _MARGINS)


def _confusion(experiment: Experiment) -> Figure:
    """Show test images by label and prediction: numbers, and a colour for the label's share."""
    counts = experiment.confusion
    classes = len(counts)

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
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

    return Figure("mnist-confusion.png", (6.0, 5.0), (counts,), draw, 2, _MARGINS)


def _signed(axes: Axes, values: NDArray[Any], **options: Any) -> None:
    """Show numbers of both signs beside their scale: white is zero, red positive, blue negative."""
    finite = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    largest = float(np.nanmax(abs(finite), initial=0.0)) or 1.0
    image = axes.imshow(finite, cmap="RdBu_r", vmin=-largest, vmax=largest, **options)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.8, pad=0.08)  # beside the exponent on top
    bar.ax.ticklabel_format(style="sci", scilimits=(-2, 3))
    bar.outline.set_visible(False)
