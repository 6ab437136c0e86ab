"""Fabric, where it is installed without the rest of Lightning: the loop is the script's own."""

from symmetry.base.libraries import Library

LIBRARY = Library(imports=("lightning_fabric",), trains_with="torch", decides=True)
