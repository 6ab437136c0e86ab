"""The pictures of the experiment's report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from symmetry.experiment.run import Experiment
from symmetry.report.files import Figure, plain
from symmetry.units import compare

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
