"""Lightning, under both of its names: the loop is its own."""

from symmetry.base.libraries import Library

LIBRARY = Library(
    imports=("lightning", "pytorch_lightning"),
    trains_with="torch",
    decides=True,
    cuts_loops=True,
)
