"""Units, modules and layers that receive no gradient.

Example of a layer: relu(x @ W + b) with b = -50. Every path from W to the loss leads through the
result of relu, which is 0 everywhere, and so is its derivative: no gradient passes.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from symmetry.finding.coverage import Dead
from symmetry.finding.naming import module_of
from symmetry.training.trace import Node, Trace
from symmetry.units.units import Units


def dead_layers(
    trace: Trace, layers: Mapping[str, tuple[int, int]], silent: Collection[str]
) -> Iterator[Dead]:
    """Yield the layers whose units are all 0 in a trace, if that is why modules have no gradient.

    Parameters
    ----------
    trace
        The trace of the first steps.
    layers
        Along which axis matrices of layers make units, and how many.
    silent
        The paths of the modules that receive no gradient.
    """
    zeros = _zeros(trace) if silent else {}
    behind: dict[int, list[str]] = defaultdict(list)
    for module in silent:
        paths = f"model.{module}."
        own = {value for name, value in trace.leaves.items() if name.startswith(paths)}
        barrier = _barrier(trace, own, zeros)
        if barrier is not None:
            behind[barrier].append(module)
    for k, modules in sorted(behind.items()):
        layer = _layer(trace, layers, k)
        if layer is not None:
            node = trace.nodes[k]
            units = layers[layer][1]
            yield Dead(module_of(layer), units, node.operation, node.place, tuple(modules))


def _zeros(trace: Trace) -> dict[int, int]:
    """Return the values on the way to the loss that are 0 everywhere, with the nodes of them."""
    return {
        value: k
        for k, node in enumerate(trace.nodes)
        for value in node.outputs
        if value in trace.into_loss and value != trace.loss and not trace.arrays[value].any()
    }


def _barrier(trace: Trace, values: set[int], zeros: Mapping[int, int]) -> int | None:
    """Return the first node that ends the way from values to the loss; None if one goes on."""
    reached, first = {*values}, None
    for k, node in enumerate(trace.nodes):
        if reached.isdisjoint(node.inputs):
            continue
        reached.update(value for value in node.outputs if value not in zeros)
        if first is None and any(zeros.get(value) == k for value in node.outputs):
            first = k
    return None if trace.loss in reached else first


def _layer(trace: Trace, layers: Mapping[str, tuple[int, int]], k: int) -> str | None:
    """Return the matrix of the last layer before a node, if its units are the node's results."""
    before = trace.upstream({*trace.nodes[k].outputs})
    matrices = {value: name for name, value in trace.leaves.items() if name in layers}
    last: tuple[str, int] | None = None
    for node in trace.nodes[: k + 1]:
        own = {matrices.get(value, "") for value in node.inputs}
        if len(own) == 1 and "" not in own:  # a view of a matrix
            matrices.update(dict.fromkeys(node.outputs, own.pop()))
        elif (names := own - {""}) and not before.isdisjoint(node.outputs):
            last = names.pop(), _size(trace, node)
    return last[0] if last is not None and last[1] == _size(trace, trace.nodes[k]) else None


def _size(trace: Trace, node: Node) -> int:
    return max(trace.arrays[value].size for value in node.outputs)


def units_without_gradient(
    units: Units, gradients: Mapping[str, NDArray[np.bool_]]
) -> tuple[int, ...]:
    """Return the numbers of the units without gradient, as those of dead ReLUs, or of experts.

    ``gradients`` holds the entries of parameters that received one.
    """
    parts = [part for part in units.parts if {*part.names} <= gradients.keys()]
    if not parts:
        return ()
    alive = np.any([units.rows(gradients, part).any(axis=1) for part in parts], axis=0)
    return tuple(np.flatnonzero(~alive).tolist())


def modules_without_gradient(
    trained: Collection[str], gradients: Mapping[str, NDArray[np.bool_]]
) -> tuple[str, ...]:
    """Return the paths of modules that are trained, but whose parameters receive no gradient.

    If modules lie in one another, it is the outermost one.
    """
    silent: dict[str, bool] = {}
    for name in (name for name in trained if name in gradients and name.startswith("model.")):
        words = name.split(".")[1:-1]
        for path in (".".join(words[:place]) for place in range(1, len(words) + 1)):
            silent[path] = silent.get(path, True) and not gradients[name].any()
    paths = [path for path, nothing in silent.items() if nothing]
    return tuple(sorted(p for p in paths if p.rpartition(".")[0] not in paths))
