"""Attributes that something else stands for while a block runs."""

from __future__ import annotations

from symmetry.base.patches import patched


class Parent:
    def first(self):
        return "first"


class Child(Parent):
    pass


def test_patches_wrap_others_and_leave_no_trace():
    def twice(function):
        return lambda self: 2 * function(self)

    def patches():
        yield Parent, "first", lambda _: "other "
        yield Parent, "first", twice(Parent.first)
        yield Child, "first", lambda _: "child"
        yield Child, "new", 1

    kept = vars(Parent)["first"]
    with patched(patches()):
        assert (Parent().first(), Child().first(), Child.new) == ("other other ", "child", 1)
    assert vars(Parent)["first"] is kept
    assert not {"first", "new"} & vars(Child).keys()
