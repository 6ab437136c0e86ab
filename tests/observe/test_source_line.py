"""Where in the user's code an operation was asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from symmetry.observe.source_line import SourceLine, SourceLines, asked_at
from symmetry.observe.tape import Tape
from symmetry.torch.watch.tape import observing

HERE = str(Path(__file__))


def test_the_innermost_line_of_the_user_is_the_place():
    place = SourceLines().here()
    assert place.file == HERE
    assert place.source == "place = SourceLines().here()"
    assert place.phase == "other"
    assert str(place) == f"tests/observe/test_source_line.py:{place.line}"


def test_a_place_without_a_file_is_its_module_or_nothing():
    assert str(SourceLine("", 0, module="blocks.1.fc")) == "module blocks.1.fc"
    assert str(SourceLine("", 0)) == ""
    assert SourceLine("/no/such/file.py", 3).source == ""


def test_a_method_of_what_has_parameter_groups_is_an_optimiser():
    class Own:
        param_groups = ()

        def step(self):
            return SourceLines().here()

    class Other(Own):
        param_groups = property()  # it has none

    assert Own().step().phase == "optimizer"
    assert Other().step().phase == "other"


def seen(run, modules=()):
    """Return the place of each operation, by its name."""
    places, found = SourceLines({id(module): name for name, module in modules}), {}
    tape = Tape(lambda event: found.setdefault(event.call.name, event.call.place))
    with observing(tape, places):
        run()
    return found


def test_a_backward_has_the_line_of_its_forward_and_an_update_its_phase():
    model = nn.Sequential(nn.Linear(3, 2))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step():
        loss = model(torch.ones(4, 3)).tanh().sum()
        loss.backward()
        optimizer.step()

    found = seen(step, model.named_modules())
    forward, tanh, backward = (found[f"aten.{n}"] for n in ("addmm", "tanh", "tanh_backward"))
    assert (forward.phase, forward.module, forward.file) == ("forward", "0", HERE)
    assert (backward.phase, backward.line) == ("backward", tanh.line)
    assert tanh.source == "loss = model(torch.ones(4, 3)).tanh().sum()"
    assert [p.source for p in found.values() if p.phase == "optimizer"] == ["optimizer.step()"]


@pytest.mark.parametrize("known", [False, True])
def test_modules_are_called_by_their_path_where_it_is_known(known):
    layer = nn.Linear(3, 2)
    found = seen(lambda: layer(torch.ones(4, 3)), [("fc", layer)] * known)
    assert found["aten.addmm"].module == ("fc" if known else "")


def test_the_innermost_line_of_the_users_own():
    def inner():
        return asked_at()

    assert inner().line == inner.__code__.co_firstlineno + 1
    assert Path(inner().file).name == "test_source_line.py"


def compiled(code, file):
    namespace = {}
    exec(compile(code, file, "exec"), namespace)
    return namespace


def test_inside_of_a_module_of_a_library_it_is_the_librarys_line():
    site = Path(sys.prefix) / "lib" / "site-packages"
    library = compiled("def forward(inner):\n    return inner()\n", f"{site}/zoo/layers.py")
    torch = compiled("def _call_impl(f, x):\n    return f(x)\n", f"{site}/torch/nn/module.py")
    place = torch["_call_impl"](library["forward"], asked_at)
    assert (Path(place.file).name, place.line) == ("layers.py", 2)


def test_a_function_of_a_library_belongs_to_the_line_that_calls_it():
    site = Path(sys.prefix) / "lib" / "site-packages"
    library = compiled("def rearrange(inner):\n    return inner()\n", f"{site}/zoo/layers.py")
    assert Path(library["rearrange"](asked_at).file).name == "test_source_line.py"
