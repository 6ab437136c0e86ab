from __future__ import annotations

import numpy as np

from symmetry.culprit.call import Call, Operation
from symmetry.culprit.geometry import Geometry, address
from symmetry.culprit.numpy import handle
from symmetry.culprit.place import Place
from symmetry.culprit.snapshot import Snapshot


def add_in_place(arrays):
    arrays[0] += arrays[1]
    return [arrays[0]]


def taken(target, other):
    operation = Operation(add_in_place, lambda names: None, "numpy", ("float32", "float32"))
    call = Call("add", Place("", 0), (handle(target), handle(other)), operation, written=(0,))
    owner = Geometry.of(target if target.base is None else target.base)
    return call, Snapshot.take(call, {0: owner}, [None, None])


def test_operands_are_made_again_with_their_strides_and_their_alignment():
    whole = np.arange(24, dtype=np.float32).reshape(4, 6).copy()
    part, other = whole[1:, 2:4], np.ones((2, 3), np.float32).T
    _, snapshot = taken(part, other)
    (first, second), owners = snapshot.arrays()
    assert (first == part).all()
    assert first.strides == part.strides
    assert address(first) % 4096 == address(part) % 4096
    assert second.strides == other.strides
    assert (owners[0] == whole).all()
    assert np.shares_memory(first, owners[0])


def test_a_replay_does_not_touch_what_was_recorded():
    whole = np.zeros((4, 6), np.float32)
    part, other = whole[:, 1], np.ones(4, np.float32)
    call, snapshot = taken(part, other)
    add_in_place([part, other])
    snapshot.finish(call, [handle(part)])
    for _ in range(2):
        results, owners = snapshot.replay()
        assert (results[0] == 1).all()
        assert (owners[0] == snapshot.after[0]).all()
    assert (snapshot.results[0] == 1).all()
    assert (snapshot.after[0] == whole).all()


def test_views_from_the_end_to_the_beginning():
    whole = np.arange(6, dtype=np.float32)
    _, snapshot = taken(whole[::-2], np.ones(3, np.float32))
    assert (snapshot.arrays()[0][0] == [5, 3, 1]).all()
    assert (Geometry.of(whole[::-2]).view() == [5, 3, 1]).all()
