"""Hugging Face's trl: trainers that are made of the one of transformers."""

from symmetry.base.libraries import Library

LIBRARY = Library(imports=("trl",), trains_with="torch", decides=True)
