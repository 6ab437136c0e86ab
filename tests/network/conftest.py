"""Fixtures for the tests of the cores."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import llvmlite.binding
import pytest

from symmetry.network import kernels


@pytest.fixture(scope="session")
def other_kernels(tmp_path_factory):
    """The kernels cut as for a processor with AVX-512 if this one has none, and the other way."""
    file = tmp_path_factory.mktemp("other") / "other_kernels.py"  # with a cache of its own
    file.write_text(Path(kernels.__file__).read_text())
    spec = spec_from_file_location(file.stem, file)
    module = module_from_spec(spec)
    features = {**kernels.FEATURES, "avx512f": not kernels.AVX512}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(llvmlite.binding, "get_host_cpu_features", lambda: features)
        spec.loader.exec_module(module)
    return module
