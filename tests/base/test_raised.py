"""What the user's code raises becomes one readable line that says where."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from symmetry.base.errors import TargetError
from symmetry.base.raised import (
    heard,
    in_one_line,
    missing_package,
    place_of,
    raised_as,
    silenced,
)


class UnreadableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("wrong"), "ValueError: wrong"),
        (ValueError(), "ValueError"),
        (ValueError(" \n first \n second"), "ValueError: first"),
        (ValueError("x" * 300), f"ValueError: {'x' * 197}..."),
        (ValueError("lone \ud800 surrogate"), "ValueError: lone \\ud800 surrogate"),
        (UnreadableError(), "UnreadableError: (its message cannot be read: RuntimeError)"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_an_error_is_one_line(error: BaseException, line: str) -> None:
    assert in_one_line(error) == line


def fail() -> None:
    raise SystemExit("usage")


LINE = fail.__code__.co_firstlineno + 1


def test_it_is_raised_as_another_error_that_says_where() -> None:
    with pytest.raises(TargetError) as caught, raised_as(TargetError, "the step", "; {}!".format):
        fail()
    said = f"usage (tests/base/test_raised.py:{LINE}); SystemExit: usage!"
    assert str(caught.value) == f"the step raised SystemExit: {said}"
    assert isinstance(caught.value.__cause__, SystemExit)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), TargetError("said already")])
def test_ctrl_c_and_what_is_said_already_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, raised_as(TargetError, "the step"):
        raise error
    assert caught.value is error


def test_the_place_is_the_innermost_line_of_the_user() -> None:
    with pytest.raises(np.linalg.LinAlgError) as caught:
        np.linalg.inv(np.zeros((2, 2)))
    line = test_the_place_is_the_innermost_line_of_the_user.__code__.co_firstlineno + 2
    assert place_of(caught.value) == f" (tests/base/test_raised.py:{line})"
    assert place_of(ValueError("never raised")) == ""


def test_warnings_and_error_settings_are_put_back() -> None:
    before = np.geterr()
    with warnings.catch_warnings(record=True) as seen, silenced():
        warnings.warn("inside", stacklevel=1)
        np.seterr(all="raise")
        with np.errstate(divide="ignore"):
            assert np.isinf(np.float64(1) / np.float64(0))
    assert seen == []
    assert np.geterr() == before


def test_warnings_are_heard_once_for_each_line_but_not_those_for_maintainers():
    def warn(size):
        warnings.warn(f"a size of {size}\nis odd", UserWarning, stacklevel=1)
        warnings.warn("use another", DeprecationWarning, stacklevel=1)

    with heard() as texts, raised_as(TargetError, "it"):
        warn(1)
        warn(2)
    (text,) = texts.values()
    assert text.startswith("UserWarning: a size of 1 is odd (tests/base/test_raised.py:")
    with raised_as(TargetError, "it"):
        warn(3)  # nobody listens: it is shown nowhere
    assert len(texts) == 1


def test_warnings_about_this_machine_are_not_repeated() -> None:
    with heard() as texts, silenced():
        warnings.warn(
            "'pin_memory' argument is set as true but no accelerator is found", stacklevel=1
        )
        warnings.warn("This DataLoader will create 9 worker processes in total.", stacklevel=1)
        warnings.warn("mind the loss", stacklevel=1)
    assert [text.partition(" (")[0] for text in texts.values()] == ["UserWarning: mind the loss"]


def test_a_missing_package_is_named_whatever_was_made_of_its_error() -> None:
    with pytest.raises(TargetError) as caught, raised_as(TargetError, "the step"):
        import no_such_package.inside  # noqa: F401
    assert missing_package(caught.value) == "no_such_package"
    assert missing_package(ValueError("no")) is None


def test_a_package_without_a_module_is_there() -> None:
    with pytest.raises(TargetError) as caught, raised_as(TargetError, "the step"):
        import numpy.no_such_module  # noqa: F401
    assert missing_package(caught.value) is None
