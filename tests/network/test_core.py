"""The Numba core against the oracle, to the bit."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from symmetry.network import core, formulas, kernels
from symmetry.network.core import Core
from symmetry.network.descent import CollapsedCore
from tests.conftest import slow
from tests.network import oracle
from tests.network.arrays import DTYPES, draw_arrays, same_bits


# Around every edge at which the core cuts: sub-blocks and blocks of samples, chunks, parts of the
# inputs, panels, tiles of 64 to 832 bytes, class tiles of 16 and 8.
@given(
    n=st.integers(1, 70),
    i=st.integers(1, 9),
    h=st.integers(1, 9),
    c=st.integers(1, 5),
    dtype=st.sampled_from(DTYPES),
    dense=st.booleans(),
    threads=st.integers(1, 4),
    seed=st.integers(0, 99),
)
@example(n=1, i=1, h=1, c=1, dtype="float32", dense=True, threads=1, seed=0)
@example(n=257, i=2, h=2, c=2, dtype="float32", dense=True, threads=4, seed=1)
@example(n=600, i=3, h=2, c=3, dtype="float32", dense=False, threads=3, seed=2)
@example(n=600, i=2, h=3, c=2, dtype="float64", dense=True, threads=2, seed=3)
@example(n=3, i=201, h=5, c=3, dtype="float32", dense=True, threads=2, seed=4)
@example(n=5, i=99, h=3, c=3, dtype="float64", dense=True, threads=1, seed=5)
@example(n=5, i=100, h=3, c=3, dtype="float32", dense=False, threads=1, seed=6)
@example(n=66, i=4, h=104, c=3, dtype="float32", dense=True, threads=2, seed=7)
@example(n=9, i=4, h=209, c=2, dtype="float32", dense=True, threads=2, seed=8)
@example(n=9, i=4, h=113, c=2, dtype="float32", dense=False, threads=2, seed=8)
@example(n=9, i=4, h=53, c=9, dtype="float64", dense=True, threads=2, seed=9)
@example(n=9, i=4, h=105, c=17, dtype="float64", dense=False, threads=2, seed=10)
@example(n=9, i=3, h=3, c=300, dtype="float32", dense=True, threads=1, seed=11)
def test_core_equals_the_oracle_to_the_bit(n, i, h, c, dtype, dense, threads, seed):
    x, labels, w1, w2 = draw_arrays(n, i, h, c, dtype, dense, seed)
    expected_loss, (g1, g2), labelled = oracle.gradient(x, labels, w1, w2)
    network = Core(x, labels, classes=c, hidden=h, dtype=dtype, threads=threads)
    loss, gradients = network.gradient(w1, w2)
    assert loss == expected_loss
    assert same_bits(gradients[0], g1)
    assert same_bits(gradients[1], g2)
    evaluated, predictions = network.evaluate(w1, w2)
    assert evaluated == expected_loss
    assert predictions.tolist() == labelled


@pytest.mark.parametrize("dtype", [DTYPES[0], slow(DTYPES[1])])
def test_an_integer_x_gives_the_bits_of_its_floats(dtype):
    x, labels, w1, w2 = draw_arrays(300, 5, 3, 4, dtype, True, 0)
    bytes_ = (x * 64).astype(np.uint8)
    sizes = {"classes": 4, "hidden": 3, "dtype": dtype}
    results = [
        Core(values, labels, **sizes).gradient(w1, w2)[1]
        for values in (bytes_, bytes_.astype(dtype))
    ]
    assert same_bits(results[0][0], results[1][0])
    collapsed = [
        CollapsedCore(values, labels, **sizes).gradient(*formulas.collapse(w1, w2))[1]
        for values in (bytes_, bytes_.astype(dtype))
    ]
    assert same_bits(collapsed[0][0], collapsed[1][0])


@pytest.mark.parametrize("core_of", [Core, CollapsedCore])
@pytest.mark.parametrize("kind", ["int16", "float64", "columns in front"])
def test_x_may_come_in_any_dtype_and_layout(core_of, kind):
    x = np.random.default_rng(3).integers(-9, 10, (300, 5))
    labels = np.arange(300) % 4
    other = np.asfortranarray(x.astype("float32")) if kind == "columns in front" else x.astype(kind)
    weights = formulas.expand(np.full(6, 0.1), np.zeros(4), np.arange(4) / 9, 3)
    if core_of is CollapsedCore:
        weights = formulas.collapse(*weights)
    weights = [w.astype("float32") for w in weights]
    losses = {
        core_of(values, labels, classes=4, hidden=3).gradient(*weights)[0]
        for values in (other, x.astype("float32"))
    }
    assert len(losses) == 1


def test_what_a_chunk_raises_is_raised():
    def fail(_: int) -> None:
        raise IndexError("mine")

    with pytest.raises(IndexError, match="mine"):
        core.Threads(2).map(fail, range(5))


HIDDEN = [*range(1, 41), *range(63, 67), 97, 127, 128, 129, 199, 200, 201, 255, 256, 257]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("start", ["zero", "cloned"])
def test_equal_units_stay_equal_for_every_size_and_thread_count(dtype, start):
    rng = np.random.default_rng(1)
    x = (rng.integers(0, 256, (520, 20)) * (rng.random((520, 20)) < 0.3)).astype(dtype)
    labels = rng.integers(0, 10, 520)
    for h in HIDDEN:
        u, b, v = np.zeros(21, dtype), np.zeros(10, dtype), np.zeros(10, dtype)
        if start == "cloned":
            u, b, v = (rng.uniform(-0.01, 0.01, len(a)).astype(dtype) for a in (u, b, v))
        results = []
        for threads in (1, 2):
            network = Core(x, labels, classes=10, hidden=h, dtype=dtype, threads=threads)
            weights = formulas.expand(u, b, v, h)
            for _ in range(3):
                _, gradients = network.gradient(*weights)
                weights = core.update(weights, gradients, 0.01)
            results.append(weights)
        w1, w2 = results[0]
        assert np.any(w1 != u[:, None])
        assert np.all(w1 == w1[:, :1])
        assert np.all(w2[1:] == w2[1])
        assert w1.tobytes() == results[1][0].tobytes()
        assert w2.tobytes() == results[1][1].tobytes()


@given(
    n=st.integers(1, 40),
    i=st.integers(1, 40),
    h=st.integers(1, 40),
    c=st.integers(1, 12),
    lr=st.floats(1e-6, 1e2),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 99),
)
def test_core_and_formulas_agree_to_rounding(n, i, h, c, lr, dtype, seed):
    x, labels, w1, w2 = draw_arrays(n, i, h, c, dtype, False, seed)
    y = formulas.one_hot_encode(labels, c, dtype)
    exact = formulas.step(*(a.astype("float64") for a in (x, y, w1, w2)), lr)
    tolerance = 64 * np.finfo(dtype).eps
    for new, old, reference in zip(core.step(x, y, w1, w2, lr), (w1, w2), exact, strict=True):
        assert new.dtype == old.dtype
        assert np.abs(new - reference).max() <= tolerance * (1 + np.abs(reference - old).max())


def test_step_leaves_its_arguments_alone():
    x, labels, w1, w2 = draw_arrays(20, 3, 4, 2, "float32", True, 0)
    y = formulas.one_hot_encode(labels, 2, "float32")
    copies = [a.copy() for a in (x, y, w1, w2)]
    core.step(x, y, w1, w2, 0.1)
    assert all(map(np.array_equal, (x, y, w1, w2), copies))


def test_a_diverged_network_is_nan_and_does_not_hang():
    x, labels, w1, w2 = draw_arrays(20, 3, 4, 2, "float32", True, 0)
    network = Core(x, labels, classes=2, hidden=4)
    loss, (g1, _) = network.gradient(w1 * np.float32(np.nan), w2)
    assert np.isnan(loss)
    assert np.isnan(g1).all()


@pytest.mark.parametrize("kind", [Core, CollapsedCore])
@pytest.mark.parametrize("label", [-1, 2])
def test_labels_that_are_no_class_are_refused(kind, label):
    x, labels, *_ = draw_arrays(20, 3, 4, 2, "float32", True, 0)
    labels[7] = label
    with pytest.raises(ValueError, match="from 0 to 1"):
        kind(x, labels, classes=2, hidden=4)


def test_weights_of_another_network_are_refused():
    x, labels, w1, w2 = draw_arrays(20, 3, 4, 2, "float32", True, 0)
    full = Core(x, labels, classes=2, hidden=4)
    collapsed = CollapsedCore(x, labels, classes=2, hidden=4)
    for network, weights in (
        (full, (w1[1:], w2)),
        (full, (w1[:, 1:], w2)),
        (full, (w1, w2[:, 1:])),
        (collapsed, (w1[1:, 0], w2[0], w2[1])),
        (collapsed, (w1[:, 0], w2[0], w2[1, 1:])),
    ):
        for use in (network.gradient, network.evaluate):
            with pytest.raises(ValueError, match="must have the shapes"):
                use(*weights)


def test_chunks_cover_all_samples_in_order():
    for n in [1, 255, 256, 257, 511, 513, 4096, 5000, 60000]:
        bounds = core.chunk_bounds(n)
        assert bounds == oracle.chunk_bounds(n)
        assert bounds[0][0] == 0
        assert bounds[-1][1] == n
        assert all(a < b for a, b in bounds)
        assert all(left[1] == right[0] for left, right in pairwise(bounds))


@pytest.mark.parametrize("tile", kernels.TILES)
def test_sub_blocks_of_every_tile_cut_a_block_evenly(tile):
    samples = core.sub_block_for(tile)
    assert kernels.BLOCK % samples == 0
    assert samples * tile <= kernels.PART_BYTES


def test_units_are_cut_into_lines_where_hardly_an_input_is_zero():
    assert core.tile_for(200, 4, 1.0) == kernels.LINE_BYTES
    assert core.tile_for(200, 4, 0.5) == kernels.TILES[-1]
    assert core.tile_for(16, 4, 0.5) == kernels.LINE_BYTES


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [1, 3, 40, 110])
@pytest.mark.parametrize("share", [0.6, 0.95])
def test_dense_blocks_come_to_the_bits_of_the_lists(dtype, hidden, share, monkeypatch):
    rng = np.random.default_rng(5)
    x = rng.normal(size=(700, 50)) * (rng.random((700, 50)) < share)
    x[:256] *= rng.random((256, 50)) < 0.1  # one block stays a list
    _, labels, w1, w2 = draw_arrays(700, 50, hidden, 4, dtype, True, 6)
    results = []
    for tile in kernels.TILES:
        monkeypatch.setattr(core, "tile_for", lambda *_, tile=tile: tile)
        network = Core(x.astype(dtype), labels, classes=4, hidden=hidden, dtype=dtype)
        found_dense = any((chunk.inputs.dense >= 0).any() for chunk in network.chunks)
        assert found_dense is (tile == core.LINE)
        loss, gradients = network.gradient(w1, w2)
        results.append((loss, *(g.tobytes() for g in gradients)))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("hidden", [1, slow(2), slow(3), 4])
@pytest.mark.parametrize("inputs", [40, 800])  # a stretch is a block, or less
@pytest.mark.parametrize("other", [False, slow(True)])
def test_stretches_come_to_the_bits_of_whole_blocks(
    dtype, hidden, inputs, other, other_kernels, monkeypatch
):
    if other:
        monkeypatch.setattr(core, "kernels", other_kernels)
    tiles = core.kernels.TILES
    for n in (69, 255, 1500, 5600):  # the last have chunks of one block and of two
        x, labels, w1, w2 = draw_arrays(n, inputs, hidden, 3, dtype, True, n)
        x -= x.mean()
        x[::7, ::3] = 0
        results = []
        for tile in tiles[:2]:  # dense blocks, then lists, whose passes are over whole blocks
            monkeypatch.setattr(core, "tile_for", lambda *_, tile=tile: tile)
            network = Core(x, labels, classes=3, hidden=hidden, dtype=dtype, threads=1)
            with np.errstate(invalid="ignore"):
                network.gradient(w1 * np.nan, w2)  # what it leaves behind is of no effect
            loss, (g1, g2) = network.gradient(w1, w2)
            evaluated, predictions = network.evaluate(w1, w2)
            assert evaluated == loss
            results.append((loss, g1.tobytes(), g2.tobytes(), predictions.tobytes()))
        assert (network.chunks[0].inputs.dense < 0).all()
        assert results[0] == results[1]


@pytest.mark.parametrize("hidden", [4, 20])
@pytest.mark.parametrize("where", [(0, 3), (7, 2)])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_zeros_are_left_out_of_dense_blocks_where_weights_are_not_finite(
    where, value, hidden, monkeypatch
):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(300, 40)) * (rng.random((300, 40)) < 0.9)
    _, labels, w1, w2 = draw_arrays(300, 40, hidden, 3, "float32", True, 8)
    w1[where] = value
    gradients = []
    for tile in kernels.TILES[:2]:
        monkeypatch.setattr(core, "tile_for", lambda *_, tile=tile: tile)
        network = Core(x.astype("float32"), labels, classes=3, hidden=hidden)
        gradients.append(network.gradient(w1, w2)[1])
    assert same_bits(gradients[0][0], gradients[1][0])
    assert same_bits(gradients[0][1], gradients[1][1])


def test_a_gradient_has_rows_for_the_inputs_of_its_chunk_only():
    rng = np.random.default_rng(9)
    x = np.zeros((600, 3000), "float32")
    x[np.arange(600), rng.integers(0, 3000, 600)] = 1
    x[:, 2] = rng.normal(size=600)
    _, labels, w1, w2 = draw_arrays(600, 3000, 3, 4, "float32", False, 10)
    network = Core(x, labels, classes=4, hidden=3)
    _, (g1, _) = network.gradient(w1, w2)
    assert {chunk.height for chunk in network.chunks} < set(range(150, 300))
    used = np.flatnonzero(x.any(axis=0))
    few = Core(x[:, used], labels, classes=4, hidden=3).gradient(w1[[0, *(used + 1)]], w2)[1][0]
    assert same_bits(g1[used + 1], few[1:])
    assert not np.delete(g1, [0, *(used + 1)], axis=0).any()


WITHOUT_FMA = """
import llvmlite.binding
found = llvmlite.binding.get_host_cpu_features()
found["fma"] = False
llvmlite.binding.get_host_cpu_features = lambda: found
import symmetry.network.kernels
"""


def test_a_processor_without_fused_products_is_told_of_in_one_line():
    done = subprocess.run([sys.executable, "-c", WITHOUT_FMA], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout == ""
    assert done.stderr == (
        "note: this processor has no fused multiply-add: the core computes it in software, which "
        "gives the same bits and takes hundreds of times as long\n"
    )
