"""Libraries that begin once in a process begin again with each script."""

from __future__ import annotations

import asyncio
import importlib
import sys
from types import ModuleType, SimpleNamespace

import pytest

from symmetry.base.errors import TrainingError
from symmetry.sandbox import libraries
from symmetry.sandbox.libraries import begun_again, event_loop, keep, kept, set_event_loop

OF_HYDRA = ("hydra.core.singleton", "Singleton", "_instances")


class ConfigStore:
    """What hydra fills while it is imported."""


class GlobalHydra:
    """What hydra makes when it begins."""


def put(monkeypatch, key, value):
    """Import a library that keeps a value."""
    module, kind, name = key
    owner = type(kind, (), {name: value})
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(**{kind: owner}))
    return lambda: getattr(owner, name)


@pytest.mark.parametrize(
    ("key", "used", "fresh"),
    [
        (("accelerate.state", "PartialState", "_shared_state"), {"device": 1}, {}),
        (OF_HYDRA, {ConfigStore: 1, GlobalHydra: 2}, {ConfigStore: 1}),
        (
            ("omegaconf.basecontainer", "BaseContainer", "_resolvers"),
            {"oc.env": 1, "x": 2},
            {"oc.env": 1},
        ),
    ],
)
def test_a_library_begins_as_in_a_fresh_process_and_goes_on_as_it_was(
    monkeypatch, key, used, fresh
):
    now = put(monkeypatch, key, used)
    mine = kept()
    assert mine[key] is used
    keep({})
    assert now() == fresh
    keep(mine)
    assert now() is used


def test_a_library_that_is_not_imported_or_has_changed_is_left_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "hydra.core.singleton", ModuleType("without Singleton"))
    assert OF_HYDRA not in kept()
    keep({OF_HYDRA: {}})


def test_a_loop_runs_where_another_one_is_suspended():
    async def ran():
        return asyncio.current_task()

    async def outer():
        mine, task = event_loop(), asyncio.current_task()
        set_event_loop(libraries.NO_LOOP)
        try:
            other = asyncio.run(ran())
        finally:
            set_event_loop(mine)
        assert asyncio.current_task() is task is not other
        await asyncio.sleep(0)

    asyncio.run(outer())


def once(places, message="it began already"):
    """Return what raises through an installed package where it begins a second time."""
    begun = []

    def begin():
        package = importlib.import_module("begins_once")
        begun.append(package.begin())
        return len(begun)

    (places / "site-packages").mkdir()
    (places / "site-packages" / "begins_once.py").write_text(
        "begun = []\n\ndef begin():\n"
        f"    if begun:\n        raise RuntimeError({message!r})\n    begun.append(1)\n"
    )
    return begin


@pytest.fixture
def package(tmp_path, monkeypatch):
    begin = once(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "site-packages"))
    monkeypatch.setattr(libraries, "ANEW", set())
    yield begin
    sys.modules.pop("begins_once", None)


def as_training(begin, reset):
    """Return a start that fails as scripts do; ``reset`` is what a start does with modules."""

    def started():
        for name in reset:
            sys.modules.pop(name, None)
        try:
            return begin()
        except RuntimeError as error:
            raise TrainingError(f"train.py raised {error}") from error

    return started


def test_a_package_that_begins_once_is_imported_anew(package):
    begin = as_training(package, libraries.ANEW)
    assert begin() == 1
    assert begun_again(begin) == 2
    assert {"begins_once"} == libraries.ANEW
    assert begun_again(begin) == 3


def test_what_does_not_begin_again_raises_as_before(package):
    begin = as_training(package, ())
    begin()
    with pytest.raises(TrainingError, match="it began already"):
        begun_again(begin)


def test_a_compiled_package_is_not_imported_anew(package, monkeypatch):
    inner = ModuleType("begins_once.core")
    inner.__file__ = "core.cpython-311-x86_64-linux-gnu.so"
    monkeypatch.setattr(libraries, "EXTENSION_SUFFIXES", [".so"])
    monkeypatch.setitem(sys.modules, "begins_once.core", inner)
    begin = as_training(package, libraries.ANEW)
    begin()
    with pytest.raises(TrainingError):
        begun_again(begin)
    assert set() == libraries.ANEW
