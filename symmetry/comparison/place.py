"""Where two trainings first differ: in the order in which a step happens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from symmetry.comparison.outcome import FirstDifference
from symmetry.comparison.side import Side
from symmetry.law.judge import Ratios
from symmetry.training.observation import USED, Observation, ObservedName
from symmetry.training.response import THRESHOLDS
from symmetry.units.words import count

_GIVEN = " input"  # at the end of names
_HOW = {"foreach", "fused", "capturable", "differentiable"}  # an optimiser computes, not what


def place(reference: Side, other: Side, ratios: Ratios[ObservedName]) -> FirstDifference | None:
    """Return the first thing that deviates by more than rounding explains; None if nothing does."""
    limit = THRESHOLDS[reference.dtype]
    for step, found in enumerate(ratios):
        mine, theirs = reference.kept[step], other.kept[step]
        order = [key for key in mine.parts if key in found]
        bad = [key for key in order if found[key] > limit]
        if bad and bad[0].phase == "loss" and not _is_used(order, bad):
            del bad[0]
        if bad:
            good = order[: order.index(bad[0])]
            return _DeviatingStep(step + 1, mine, theirs, good, bad).first()
    return None


def _is_used(order: Sequence[ObservedName], bad: Sequence[ObservedName]) -> bool:
    """Return whether the backward begins from the other loss: it may only be shown."""
    later = order[order.index(bad[0]) + 1 :]
    return next((key in bad for key in later if key.phase in ("backward", "gradient")), True)


class _DeviatingStep:
    """One step in which something deviates: what agrees before, and what deviates, in order."""

    def __init__(
        self,
        number: int,
        mine: Observation,
        theirs: Observation,
        good: Sequence[ObservedName],
        bad: Sequence[ObservedName],
    ) -> None:
        self.number, self.mine, self.theirs, self.good, self.bad = number, mine, theirs, good, bad

    def first(self) -> FirstDifference:
        """Return the first of what deviates, in words."""
        key = phase, name = self.bad[0]
        if phase == "backward" and not self._before("backward"):
            phase, key = "loss", ObservedName("loss", "")  # behind the last module
        module, text = {
            "data": self._data,
            "forward": self._forward,
            "loss": self._loss,
            "backward": self._backward,
            "gradient": self._gradient,
            "update": self._update,
        }[phase](name)
        file, line = self.theirs.lines.get(key, (None, None))
        return FirstDifference(phase, module, file, line, self.number, text)

    def _data(self, name: str) -> tuple[str | None, str]:
        return None, f"the data of step {self.number}: they do not see the same data ({name})"

    def _forward(self, name: str) -> tuple[str | None, str]:
        module, step = _module(name), f"the forward of step {self.number} in"
        if _GIVEN in name:  # something between two modules computes it
            call = next((c for c in self.mine.calls if c.module == module), None)
            parent, before = (call and call.parent) or "", self._before("forward")
            between = f"between {_word(before)} and {_word(module)}" if before else "at its start"
            return (
                parent,
                f"{step} {_word(parent)}, {between}: {_word(module)} is given another input",
            )
        children = [c.module for c in self.mine.calls if c.parent == module]
        after = f", after {_word(children[-1])}" if children else ""
        return module, f"{step} {_word(module)}{after}: of the same input it makes another output"

    def _loss(self, _: str) -> tuple[str | None, str]:
        values = [_loss_of(shown) for shown in (self.mine, self.theirs)]
        known = f" ({', '.join(values)})" if all(values) else ""
        modules = count(len({c.module for c in self.mine.calls}), "module")
        text = f"the loss of step {self.number}{known}: the outputs of all {modules} agree"
        after = [_word(_module(key.name)) for key in self.bad if key.phase == "backward"]
        return None, text + (f", the gradient of {after[0]} does not" if after else "")

    def _backward(self, name: str) -> tuple[str | None, str]:
        module, step = _module(name), f"the backward of step {self.number}"
        users = [c for c in self.mine.calls if any(k.name == name for k in c.inputs)]
        outer = {c.parent for c in users}
        inner = [c.module for c in users if c.module not in outer]
        if _GIVEN in name:
            inner = [module]
        if len(inner) == 1:
            text = f"{step} in {_word(inner[0])}: of the same gradient it makes another one"
            return inner[0], text
        before = self._before("backward")
        between = f"between {_word(before)} and {_word(module)}"
        return _common(module, before), f"{step} {between}: the gradient of {_word(module)} differs"

    def _gradient(self, name: str) -> tuple[str | None, str]:
        used = name.endswith(USED)
        names = [
            k.name for k in self.bad if k.phase == "gradient" and k.name.endswith(USED) == used
        ]
        what = f"the gradient of {_several([n.removesuffix(USED) for n in names])}"
        text = f"{what} in step {self.number}"
        if used:
            left = any(k.phase == "gradient" and not k.name.endswith(USED) for k in self.good)
            same = "backward leaves the same one, the update uses another: clipped or scaled?"
            return None, f"{text}: {same if left else 'the update uses another one'}"
        return _owner(name), f"{text}: outputs and their gradients agree"

    def _update(self, _: str) -> tuple[str | None, str]:
        names = [key.name for key in self.bad if key.phase == "update"]
        names.sort(key=lambda name: not name.startswith("model."))
        owners = {_owner(name) for name in names if name.startswith("model.")}
        differ = "; ".join(_other_rates(self.mine.rates, self.theirs.rates))
        text = f"the update of step {self.number}: all before it agrees, {_several(names)} not"
        return owners.pop() if len(owners) == 1 else None, f"{text}{f' ({differ})' * bool(differ)}"

    def _before(self, phase: str) -> str:
        """Return the last module that agrees."""
        names = [key.name for key in self.good if key.phase == phase]
        return _module(names[-1]) if names else ""


def _other_rates(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    """Say which numbers the optimisers are given that are not the same."""
    if [*mine] != [*theirs]:
        yield f"{', '.join(mine) or 'no optimiser'} became {', '.join(theirs) or 'none'}"
    for name in mine:
        for key, value in mine[name].items():
            other = theirs.get(name, {}).get(key, value)
            if other != value and key not in _HOW:
                yield f"{key} of {name} is {other}, not {value}"


def _loss_of(shown: Observation) -> str:
    losses = (parts[0] for key, parts in shown.parts.items() if key.phase == "loss")
    return next((f"{float(loss):.5g}" for loss in losses), "")


def _module(name: str) -> str:
    """Return the module whose input or output has this name."""
    return name.partition(_GIVEN)[0].partition("[")[0]


def _owner(name: str) -> str:
    """Return the path of the module that has a parameter of this name."""
    return name.removesuffix(USED).removeprefix("model.").rpartition(".")[0]


def _common(a: str, b: str) -> str:
    """Return the path of the innermost module that has both within."""
    pairs = zip(a.split("."), b.split("."), strict=False)
    return ".".join(x for x, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _several(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" * (len(names) > 1)
    return f"{names[0]}{more}"


def _word(module: str) -> str:
    return module or "the model"
