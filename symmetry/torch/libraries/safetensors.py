"""Safetensors: its files are written in Rust, which no patch of Python's ``open`` sees."""

from symmetry.base.libraries import Library

LIBRARY = Library(
    imports=("safetensors",),
    writers=(
        ("safetensors.torch", "serialize_file", 1),
        ("safetensors.numpy", "serialize_file", 1),
    ),
)
