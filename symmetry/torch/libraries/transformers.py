"""Hugging Face's transformers, with its Trainer; scripts in JAX use its tokenizers, too."""

from symmetry.base.libraries import Library

LIBRARY = Library(imports=("transformers",), trains_with="torch")
