r"""Every compiled function of the project, in one file.

One file, because Numba's on-disk cache notices a change only in the file of the cached function: a
helper that lived elsewhere could change and leave stale machine code behind.

What is computed
----------------
One pass over a chunk of samples: the forward pass, the loss and, if asked for, the gradients of

    hidden = sigmoid([1, x] @ w1)        logits = [1, hidden] @ w2        y_hat = softmax(logits)

(`formulas.py` says it in plain NumPy, `core.py` calls what is here.)

The order of every sum
----------------------
Bits depend on the order in which rounded terms are added, so the order is part of the definition.
Every sum of the full network starts at its first term and is *sequential and ascending*; nothing is
ever split by vector width, tile, block or thread (the collapsed network's order stands above it):

    hidden unit j of a sample      over the inputs, ones column first; zero inputs are left out
    class k of a sample            bias, then over the hidden units
    softmax                        over the classes
    delta at a hidden unit         over the classes
    gradient within a chunk        over the chunk's samples
    loss within a chunk            over the chunk's samples, in float64
    gradient, loss                 over the chunks; a chunk is a range of samples that n alone fixes

Each product is rounded before it is added (no fused multiply-add), every operation is an IEEE-754
add, subtract, multiply, divide or compare. Hence a naive loop gives the very same bits on any
machine (`tests/network/oracle.py` is that loop), and two hidden units with equal weights are two
lanes that see the same operations on the same numbers: they stay equal for every size.

How it is made fast
-------------------
Most inputs are zero, so both large products run over lists of nonzeros (value, small index), and
both, like the smaller products of the second layer, are the same operation, `multiply_add`:

    total[lane] += values[p] * rows[indices[p], lane]        for p in a range, lane in a tile

Hidden units are cut into *tiles* of 416 bytes (104 float32, 52 float64): 13 AVX2 or 6.5 AVX-512
registers hold a tile's running totals while the list streams by, and that width amortises the load
of value and index. All that is indexed by hidden units is stored tile by tile, padded with zeros:

           w1 (tiles, inputs, tile)              hidden, then deltas (tiles, samples, tile)
            one tile                                   one tile
          +-----------+                              +-----------+
    input |           | \                     sample | ========= | <- total of the forward pass
      0   | ========= |  | a part of the            |           |    (rows: one sample's inputs)
      .   |           | /  inputs, fits L1          |           |
      .   |           | \                            |           | \
          | ========= |  | the next part            | ========= |  | a sub-block, fits L1: rows of
          |           | /                            |           | /  one input's samples; backward
          +-----------+                              +-----------+    total: its row of the gradient

- Forward: a block of samples, a tile, a part of the inputs; within it sample by sample, the
  sample's nonzeros of that part. The part of w1 stays in the first-level cache.
- Backward: the samples' deltas replace their activations in place; a sub-block of samples, a tile;
  within it input by input, that input's nonzeros of the sub-block. The deltas stay in L1.
- All of a block is done before the next, so no activation travels to main memory.

Cutting does not change any order above: parts, blocks and sub-blocks are visited in ascending
order and their running totals are stored and taken up again, which rounds nothing.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from symmetry.network.compiler import njit

TILE_BYTES = 416
LINE_BYTES = 64  # a cache line: one AVX-512 register, the tile of the classes
BLOCK = 256  # samples; indices of a block fit a byte
SUB_BLOCK = 64  # samples whose deltas stay in the first-level cache with one row of gradients
ABREAST = 4  # samples whose logits are summed side by side
PART = 100  # inputs whose tile of w1 stays there; indices of a part fit a byte

# NumPy's error model: a division by zero gives inf, as IEEE-754 says, and does not keep loops from
# being vectorised. Never fastmath: it would allow another order of sums.
JIT: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


class Weights(NamedTuple):
    """The weights in the layouts that the kernels read; what pads a tile is zero."""

    w1: NDArray[Any]  # (tiles, inputs + 1, tile)
    w2: NDArray[Any]  # (class tiles, units + 1, classes of a tile), for the logits
    w2_back: NDArray[Any]  # (tiles, classes, tile) without the bias, for the deltas


class Gradients(NamedTuple):
    """One chunk's gradients, summed over its samples."""

    w1: NDArray[Any]  # (tiles, inputs + 1, tile)
    w2: NDArray[Any]  # (tiles, classes, tile), the rows of the hidden units
    b2: NDArray[Any]  # (classes,), the bias row


class Nonzeros(NamedTuple):
    """Lists of the nonzeros of a chunk: ``values[p]`` stands at ``indices[p]`` of its list."""

    values: NDArray[Any]  # (nonzeros,) float32 or float64
    indices: NDArray[Any]  # (nonzeros,) uint8
    ends: NDArray[Any]  # list l of a group runs from ends[..., l] to ends[..., l + 1]; int64


# ------------------------------------------------------------------------------------ arithmetic


class _Exp(NamedTuple):
    """What the exponential needs to know about a dtype."""

    dtype: Any
    as_integer: Any  # the same bits read as an integer, and back
    as_float: Any
    mantissa: int  # bits
    bias: int  # of the exponent
    lowest: float  # below, e^x rounds to 0
    highest: float  # above, e^x overflows
    ln2_high: float  # ln 2 in two parts: any exponent times the first is exact
    ln2_low: float
    degree: int  # of the Taylor polynomial, whose remainder is below a quarter ulp


_EXP = {
    types.float32: _Exp(
        dtype=np.float32,
        as_integer=njit(lambda x: np.float32(x).view(np.int32)),
        as_float=njit(lambda n: np.int32(n).view(np.float32)),
        mantissa=23,
        bias=127,
        lowest=-104.0,
        highest=89.0,
        ln2_high=0.693359375,
        ln2_low=-2.12194440e-4,
        degree=7,
    ),
    types.float64: _Exp(
        dtype=np.float64,
        as_integer=njit(lambda x: np.float64(x).view(np.int64)),
        as_float=njit(lambda n: np.int64(n).view(np.float64)),
        mantissa=52,
        bias=1023,
        lowest=-746.0,
        highest=710.0,
        ln2_high=6.93147180369123816490e-01,
        ln2_low=1.90821492927058770002e-10,
        degree=13,
    ),
}


def exp(x: Any) -> Any:
    """Return e^x; for compiled code only, float32 or float64.

    With n the integer nearest to x / ln 2 and r = x - n ln 2 (Cody and Waite), e^x = 2^n e^r, and
    e^r is its Taylor polynomial. Additions, multiplications and integer operations only. The error
    is at most 1.2 ulp, and 2 of the smallest number where the result is subnormal; e^0 = 1;
    overflow gives inf, underflow 0, nan stays nan.
    """
    raise NotImplementedError("call it from compiled code")


@overload(exp, jit_options={"error_model": "numpy"})
def _exp(x: Any) -> Any:
    to = _EXP[x]
    dtype, as_integer, as_float, mantissa, bias = to[:5]
    lowest, highest, ln2_high, ln2_low = (dtype(value) for value in to[5:9])
    log2_e, one = dtype(1 / math.log(2)), dtype(1)
    # Adding 1.5 * 2^mantissa rounds to an integer, which then stands in the sum's low bits.
    rounder = dtype(1.5 * 2.0**mantissa)
    taylor = tuple(dtype(1 / math.factorial(k)) for k in range(to.degree, 1, -1))

    def implementation(x: Any) -> Any:
        x = lowest if x < lowest else x
        x = highest if x > highest else x
        shifted = x * log2_e + rounder
        n = as_integer(shifted) - as_integer(rounder)
        whole = shifted - rounder
        r = (x - whole * ln2_high) - whole * ln2_low
        total = taylor[0]
        for coefficient in taylor[1:]:
            total = total * r + coefficient
        total = (total * r + one) * r + one
        # 2^n in two factors: the first product is exact, the second rounds once, if at all.
        half = n >> 1
        power = as_float((half + bias) << mantissa)
        return total * power * as_float((n - half + bias) << mantissa)

    return implementation


_LN2_HIGH, _LN2_LOW = _EXP[types.float64].ln2_high, _EXP[types.float64].ln2_low
_ATANH = tuple(2 / (2 * k + 1) for k in range(11, 0, -1))


@njit(**JIT)
def log(x: float) -> float:
    """Return the natural logarithm of a float64.

    With x = 2^n (1 + f), 1 + f between sqrt(1/2) and sqrt(2), and s = f / (2 + f): log(1 + f) =
    2 atanh(s) as its power series, arranged as in fdlibm so that f itself enters unrounded. The
    error is below 1 ulp; log(0) = -inf, log of a negative number or nan is nan.
    """
    if not x > 0.0:
        return -np.inf if x == 0.0 else np.nan
    if x == np.inf:
        return x
    n = -1023
    if x < 2.0**-1022:  # subnormal
        x *= 2.0**54
        n -= 54
    bits = np.float64(x).view(np.int64)
    # Counting exponents from sqrt(1/2) on: the upper half of the mantissas belongs to the next one.
    upper = int(((bits & 0xFFFFFFFFFFFFF) + 0x95F6400000000) >> 52)
    n += int(bits >> 52) + upper
    f = np.int64((bits & 0xFFFFFFFFFFFFF) | ((1023 - upper) << 52)).view(np.float64) - 1.0
    s = f / (2.0 + f)
    square = s * s
    series = 0.0
    for coefficient in _ATANH:
        series = (series + coefficient) * square
    half = 0.5 * f * f
    return n * _LN2_HIGH - ((half - (s * (half + series) + n * _LN2_LOW)) - f)


@intrinsic(prefer_literal=True)
def multiply_add(
    _: Any,
    total: Any,
    values: Any,
    indices: Any,
    start: Any,  # noqa: ARG001
    stop: Any,  # noqa: ARG001
    rows: Any,
    width: Any,
    count: Any,
) -> Any:
    """Add lists of multiples of rows to rows whose running totals all stay in registers.

    In plain Python, with `width` (bytes) and `count` constants::

        for p in range(start, stop):
            for k in range(count):
                for lane in range(width // itemsize):
                    total[k, lane] += values[k, p] * rows[indices[p], lane]

    where a single list comes without the index k. Several lists that share their indices, side by
    side, do not wait for each other's additions; the rows of `total` must follow one another, and
    all rows must be contiguous. Rows of unsigned integers are converted to the dtype of the total,
    which is exact for bytes.

    Written in LLVM's own terms because no plain loop keeps that many totals in registers: one
    vector for each cache line of a row (and one for the rest), multiplied and added apart.
    """
    # Constants stay literals: calls that differ in one alone must not share machine code.
    integers = types.intp, types.intp
    signature = types.void(total, values, indices, *integers, rows, width, count)
    lists, scalar_type = count.literal_value, total.dtype
    itemsize, row_itemsize = scalar_type.bitwidth // 8, rows.dtype.bitwidth // 8
    lanes, line = width.literal_value // itemsize, LINE_BYTES // itemsize
    cuts = [(at, min(line, lanes - at)) for at in range(0, lanes, line)]  # (first lane, lanes)
    pieces = [(k, lane, n) for k in range(lists) for lane, n in cuts]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def array(position: int) -> Any:
            made = context.make_array(signature.args[position])
            return made(context, builder, arguments[position])

        integer, scalar = ir.IntType(64), context.get_data_type(scalar_type)
        total, values, indices, rows = (array(position).data for position in (0, 1, 2, 5))
        start, stop = arguments[3:5]
        apart = builder.udiv(builder.extract_value(array(1).strides, 0), integer(itemsize))
        row_length = builder.udiv(builder.extract_value(array(5).strides, 0), integer(row_itemsize))

        def at(pointer: Any, offset: Any, lanes: int) -> Any:
            vector = ir.VectorType(pointer.type.pointee, lanes)
            return builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())

        def place(k: int, lane: int, n: int) -> Any:
            return at(total, integer(k * lanes + lane), n)

        def phis(initial: list[Any], block: Any) -> list[Any]:
            made = [builder.phi(value.type) for value in initial]
            for phi, value in zip(made, initial, strict=True):
                phi.add_incoming(value, block)
            return made

        def spread(value: Any, n: int) -> Any:
            undefined = ir.Constant(ir.VectorType(scalar, n), ir.Undefined)
            first = builder.insert_element(undefined, value, ir.IntType(32)(0))
            zeros = ir.Constant(ir.VectorType(ir.IntType(32), n), None)
            return builder.shuffle_vector(first, undefined, zeros)

        def factor(row: Any, lane: int, n: int) -> Any:
            there = at(rows, builder.add(row, integer(lane)), n)
            loaded = builder.load(there, align=row_itemsize)
            if isinstance(signature.args[5].dtype, types.Integer):
                return builder.uitofp(loaded, ir.VectorType(scalar, n))
            return loaded

        before = builder.block
        loop, after = (builder.append_basic_block(name) for name in ("loop", "after"))
        found = [builder.load(place(*piece), align=itemsize) for piece in pieces]
        builder.cbranch(builder.icmp_signed("<", start, stop), loop, after)

        builder.position_at_end(loop)
        p, *running = phis([start, *found], before)
        index = builder.zext(builder.load(builder.gep(indices, [p])), integer)
        row = builder.mul(index, row_length)
        factors = {lane: factor(row, lane, n) for lane, n in cuts}
        offsets = [builder.add(p, builder.mul(apart, integer(k))) for k in range(lists)]
        numbers = [builder.load(builder.gep(values, [offset])) for offset in offsets]
        sums = [
            builder.fadd(partial, builder.fmul(spread(numbers[k], n), factors[lane]))
            for (k, lane, n), partial in zip(pieces, running, strict=True)
        ]
        following = builder.add(p, integer(1))
        for phi, new in zip([p, *running], [following, *sums], strict=True):
            phi.add_incoming(new, loop)
        builder.cbranch(builder.icmp_signed("<", following, stop), loop, after)

        builder.position_at_end(after)
        results = phis(found, before)
        for phi, new in zip(results, sums, strict=True):
            phi.add_incoming(new, loop)
        for piece, result in zip(pieces, results, strict=True):
            builder.store(result, place(*piece), align=itemsize)
        return context.get_dummy_value()

    return signature, generate


# ------------------------------------------------------------------------------------ the lists


@njit(**JIT)
def list_by_sample(x: Any, part: int, values: Any, indices: Any, ends: Any) -> None:
    """List the nonzeros of ``[1, x]`` for the forward pass: by block, part, sample, input.

    Parameters
    ----------
    x
        (samples, inputs), any real dtype.
    part
        Inputs of a part, at most 256; list indices count from its first.
    values, indices
        Receive the lists; as long as there are nonzeros, ones column included.
    ends
        (blocks, parts, `BLOCK` + 1) receives the ends of the lists.
    """
    p = 0
    for block in range(ends.shape[0]):
        samples = min(BLOCK, len(x) - block * BLOCK)
        for q in range(ends.shape[1]):
            ends[block, q, 0] = p
            for s in range(samples):
                row = x[block * BLOCK + s]
                if q == 0:
                    values[p] = 1
                    indices[p] = 0
                    p += 1
                for k in range(max(1, q * part), min(len(row) + 1, (q + 1) * part)):
                    if row[k - 1] != 0:
                        values[p] = row[k - 1]
                        indices[p] = k - q * part
                        p += 1
                ends[block, q, s + 1] = p


@njit(**JIT)
def list_by_input(x: Any, values: Any, indices: Any, ends: Any) -> None:
    """List the nonzeros of ``[1, x]`` for the backward pass: by sub-block, input, sample.

    `ends` is (sub-blocks, inputs + 2); the rest is as in `list_by_sample`, and list indices count
    from the sub-block's first sample.
    """
    p = 0
    for sub in range(ends.shape[0]):
        samples = min(SUB_BLOCK, len(x) - sub * SUB_BLOCK)
        ends[sub, 0] = p
        for s in range(samples):
            values[p] = 1
            indices[p] = s
            p += 1
        ends[sub, 1] = p
        for k in range(x.shape[1]):
            for s in range(samples):
                value = x[sub * SUB_BLOCK + s, k]
                if value != 0:
                    values[p] = value
                    indices[p] = s
                    p += 1
            ends[sub, k + 2] = p


# ------------------------------------------------------------------------------------- one block


@njit(**JIT)
def activate(block: int, lists: Any, part: int, w1: Any, samples: int, hidden: Any) -> None:
    """Compute the hidden layer of a block into `hidden` (tiles, `BLOCK`, tile)."""
    for tile in range(len(w1)):
        hidden[tile, :samples] = 0
        for q in range(lists.ends.shape[1]):
            rows = w1[tile, q * part :]
            ends = lists.ends[block, q]
            for s in range(samples):
                multiply_add(
                    hidden[tile, s],
                    lists.values,
                    lists.indices,
                    ends[s],
                    ends[s + 1],
                    rows,
                    TILE_BYTES,
                    1,
                )
        one = hidden.dtype.type(1)
        for s in range(samples):
            row = hidden[tile, s]
            for lane in range(len(row)):
                row[lane] = one / (one + exp(-row[lane]))


@njit(**JIT)
def score(hidden: Any, w2: Any, order: Any, samples: int, scores: Any, logits: Any) -> None:
    """Compute a block's `logits` (classes, `BLOCK`).

    `w2` is as in `Weights`; `order` is 0, 1, 2, ..., the list of all rows; `scores` (class tiles,
    `BLOCK`, classes of a tile) is room for the sums, of which those of `ABREAST` samples run side
    by side; behind the last sample they come to nothing that is used.
    """
    width, units = hidden.shape[2], w2.shape[1] - 1
    for classes in range(len(w2)):
        for s in range(0, samples, ABREAST):
            scores[classes, s : s + ABREAST] = w2[classes, 0]
            for tile in range(len(hidden)):
                multiply_add(
                    scores[classes, s:],
                    hidden[tile, s:],
                    order,
                    0,
                    min(width, units - tile * width),
                    w2[classes, 1 + tile * width :],
                    LINE_BYTES,
                    ABREAST,
                )
    for k in range(len(logits)):
        for s in range(samples):
            logits[k, s] = scores[k // scores.shape[2], s, k % scores.shape[2]]


@njit(**JIT)
def softmax(logits: Any, labels: Any, loss: float) -> float:
    """Turn a block's logits (classes, `BLOCK`) into y_hat; return `loss` plus the block's.

    Class by class over the samples, so that every loop runs over contiguous lanes.
    """
    samples = len(labels)
    largest = logits[0].copy()
    for k in range(1, len(logits)):
        for s in range(samples):
            if logits[k, s] > largest[s]:
                largest[s] = logits[k, s]
    behind = np.empty(samples)  # the true class, below the largest logit
    for s in range(samples):
        behind[s] = np.float64(largest[s]) - np.float64(logits[labels[s], s])
    total = np.zeros_like(largest)
    for k in range(len(logits)):
        for s in range(samples):
            logits[k, s] = exp(logits[k, s] - largest[s])
            total[s] += logits[k, s]
    for k in range(len(logits)):
        for s in range(samples):
            logits[k, s] /= total[s]
    for s in range(samples):
        loss += log(np.float64(total[s])) + behind[s]
    return loss


@njit(**JIT)
def classify(y_hat: Any, labels: Any) -> None:
    """Write the most probable class of each sample of a block, the first of equals."""
    for s in range(len(labels)):
        best = 0
        for k in range(1, len(y_hat)):
            if y_hat[k, s] > y_hat[best, s]:
                best = k
        labels[s] = best


@njit(**JIT)
def add_output_gradient(
    hidden: Any, delta: Any, order: Any, samples: int, w2: Any, b2: Any
) -> None:
    """Add a block's part of the gradients `w2` and `b2`; `delta` is (classes, `BLOCK`)."""
    for k in range(len(delta)):
        for s in range(samples):
            b2[k] += delta[k, s]
    for tile in range(len(hidden)):
        for k in range(len(delta)):
            multiply_add(w2[tile, k], delta[k], order, 0, samples, hidden[tile], TILE_BYTES, 1)


@njit(**JIT)
def propagate(delta: Any, w2: Any, order: Any, samples: int, hidden: Any) -> None:
    """Replace a block's hidden layer by the deltas at it: ``(delta @ w2.T) * h * (1 - h)``.

    `delta` is (`BLOCK`, classes), `w2` is `Weights.w2_back`.
    """
    one = hidden.dtype.type(1)
    total = np.empty(hidden.shape[2], hidden.dtype)
    for tile in range(len(hidden)):
        for s in range(samples):
            total[:] = 0
            multiply_add(total, delta[s], order, 0, delta.shape[1], w2[tile], TILE_BYTES, 1)
            row = hidden[tile, s]
            for lane in range(len(row)):
                row[lane] = total[lane] * row[lane] * (one - row[lane])


@njit(**JIT)
def add_input_gradient(block: int, lists: Any, delta: Any, samples: int, w1: Any) -> None:
    """Add a block's part of the gradient `w1`; `delta` is shaped like the hidden layer."""
    for first in range(0, samples, SUB_BLOCK):
        ends = lists.ends[(block * BLOCK + first) // SUB_BLOCK]
        for tile in range(len(w1)):
            rows = delta[tile, first:]
            for k in range(w1.shape[1]):
                multiply_add(
                    w1[tile, k],
                    lists.values,
                    lists.indices,
                    ends[k],
                    ends[k + 1],
                    rows,
                    TILE_BYTES,
                    1,
                )


# ------------------------------------------------------------------------- a chunk, all chunks


@njit(**JIT)
def _buffers(weights: Any) -> Any:
    """Return room for a block: hidden layer, logits, y_hat and y_hat by sample."""
    dtype = weights.w1.dtype
    tiles, classes, tile = weights.w2_back.shape
    class_tiles, _, class_tile = weights.w2.shape
    return (
        np.empty((tiles, BLOCK, tile), dtype),
        np.empty((class_tiles, BLOCK, class_tile), dtype),
        np.empty((classes, BLOCK), dtype),
        np.empty((BLOCK, classes), dtype),
    )


@njit(**JIT)
def evaluate(
    labels: Any, lists: Any, part: int, order: Any, weights: Any, predictions: Any
) -> float:
    """Return a chunk's summed loss and write its predicted labels, the first of equals."""
    hidden, scores, y_hat, _ = _buffers(weights)
    loss = 0.0
    for block in range(len(lists.ends)):
        first = block * BLOCK
        truth = labels[first : first + BLOCK]
        activate(block, lists, part, weights.w1, len(truth), hidden)
        score(hidden, weights.w2, order, len(truth), scores, y_hat)
        loss = softmax(y_hat, truth, loss)
        classify(y_hat, predictions[first : first + BLOCK])
    return loss


@njit(**JIT)
def differentiate(
    labels: Any,
    by_sample: Any,
    by_input: Any,
    part: int,
    order: Any,
    weights: Any,
    gradients: Any,
) -> float:
    """Return a chunk's summed loss and write its summed gradients."""
    hidden, scores, delta, by_row = _buffers(weights)
    one = hidden.dtype.type(1)
    loss = 0.0
    gradients.w1[:] = 0
    gradients.w2[:] = 0
    gradients.b2[:] = 0
    for block in range(len(by_sample.ends)):
        truth = labels[block * BLOCK : (block + 1) * BLOCK]
        samples = len(truth)
        activate(block, by_sample, part, weights.w1, samples, hidden)
        score(hidden, weights.w2, order, samples, scores, delta)
        loss = softmax(delta, truth, loss)
        for s in range(samples):
            delta[truth[s], s] -= one
            for k in range(len(delta)):
                by_row[s, k] = delta[k, s]
        add_output_gradient(hidden, delta, order, samples, gradients.w2, gradients.b2)
        propagate(by_row, weights.w2_back, order, samples, hidden)
        add_input_gradient(block, by_input, hidden, samples, gradients.w1)
    return loss


@njit(**JIT)
def reduce(parts: Any, n: int, first: int, last: int, mean: Any) -> None:
    """Write rows `first` to `last` of the chunks' sum, in ascending order, divided by n.

    `parts` is (chunks, tiles, rows, tile), `mean` (rows, tiles, tile).
    """
    count = mean.dtype.type(n)
    for row in range(first, last):
        for tile in range(mean.shape[1]):
            total = mean[row, tile]
            total[:] = parts[0, tile, row]
            for chunk in range(1, len(parts)):
                more = parts[chunk, tile, row]
                for lane in range(len(total)):
                    total[lane] += more[lane]
            for lane in range(len(total)):
                total[lane] /= count


# --------------------------------------------------------------------------- the collapsed network
#
# One unit instead of many: samples are the lanes. A group of `LANES` samples lists the inputs that
# are not zero in all of them, with the values of every sample. The forward sums run over the inputs
# in ascending order, like those of the full network. A sum over samples runs, for each of `FOLD`
# lanes, over the groups in ascending order, four products a group; then over the lanes by halves.

LANES = 64
FOLD = 16
GROUP_BYTES = 256  # four AVX-512 registers: enough sums at a time to hide an addition's latency


class Groups(NamedTuple):
    """The inputs that a group of samples needs, group by group."""

    x: NDArray[Any]  # (listed, LANES), bytes or the core's dtype; zero beyond the last sample
    inputs: NDArray[Any]  # (listed,) int32
    ends: NDArray[Any]  # (groups + 1,) int64


@njit(**JIT)
def count_by_group(x: Any) -> Any:
    """Return the ends of the lists that `list_by_group` makes."""
    ends = np.zeros((len(x) + LANES - 1) // LANES + 1, np.int64)
    needed = np.empty(x.shape[1], np.bool_)
    for group in range(len(ends) - 1):
        needed[:] = False
        for s in range(group * LANES, min(len(x), (group + 1) * LANES)):
            for k in range(len(needed)):
                needed[k] |= x[s, k] != 0
        ends[group + 1] = ends[group] + needed.sum()
    return ends


@njit(**JIT)
def list_by_group(x: Any, groups: Any) -> None:
    """Fill `groups`, whose ends `count_by_group` has found, from x (samples, inputs)."""
    for group in range(len(groups.ends) - 1):
        p = groups.ends[group]
        samples = x[group * LANES : (group + 1) * LANES]
        for k in range(x.shape[1]):
            if np.any(samples[:, k] != 0):
                groups.inputs[p] = k
                for s in range(len(samples)):
                    groups.x[p, s] = samples[s, k]
                p += 1


@njit(**JIT)
def fold(a: Any, d: Any, total: Any) -> None:
    """Add the products of a group of samples to `total` (`FOLD` lanes)."""
    to = total.dtype.type
    for lane in range(FOLD):
        i, j, k = lane + FOLD, lane + 2 * FOLD, lane + 3 * FOLD
        first = to(a[lane]) * d[lane] + to(a[i]) * d[i]
        second = to(a[j]) * d[j] + to(a[k]) * d[k]
        total[lane] += first + second


@njit(**JIT)
def activate_collapsed(first: int, groups: Any, u: Any, order: Any, hidden: Any) -> None:
    """Compute the unit for the samples of a block, `first` its first group, into `hidden`."""
    one = hidden.dtype.type(1)
    hidden[:] = u[0]
    weights = np.empty_like(u)
    for group in range(first, min(first + BLOCK // LANES, len(groups.ends) - 1)):
        z = hidden[(group - first) * LANES :]
        inputs = groups.inputs[groups.ends[group] : groups.ends[group + 1]]
        rows = groups.x[groups.ends[group] :]
        for p in range(len(inputs)):
            weights[p] = u[inputs[p] + 1]
        for lane in range(0, LANES, GROUP_BYTES // u.itemsize):
            multiply_add(z[lane:], weights, order, 0, len(inputs), rows[:, lane:], GROUP_BYTES, 1)
    for s in range(BLOCK):
        hidden[s] = one / (one + exp(-hidden[s]))


@njit(**JIT)
def score_collapsed(hidden: Any, b: Any, v: Any, units: int, logits: Any) -> None:
    """Compute a block's `logits` (classes, `BLOCK`): b + units * v * hidden."""
    for k in range(len(b)):
        weight = hidden.dtype.type(units) * v[k]
        for s in range(BLOCK):
            logits[k, s] = b[k] + weight * hidden[s]


@njit(**JIT)
def evaluate_collapsed(
    labels: Any, groups: Any, u: Any, b: Any, v: Any, units: int, predictions: Any
) -> float:
    """Return a chunk's summed loss and write its predicted labels."""
    order = np.arange(len(u))
    hidden = np.empty(BLOCK, u.dtype)
    y_hat = np.empty((len(b), BLOCK), u.dtype)
    loss = 0.0
    for first in range(0, len(labels), BLOCK):
        activate_collapsed(first // LANES, groups, u, order, hidden)
        score_collapsed(hidden, b, v, units, y_hat)
        loss = softmax(y_hat, labels[first : first + BLOCK], loss)
        classify(y_hat, predictions[first : first + BLOCK])
    return loss


@njit(**JIT)
def differentiate_collapsed(
    labels: Any, groups: Any, u: Any, b: Any, v: Any, units: int, g_u: Any, g_b: Any, g_v: Any
) -> float:
    """Return a chunk's summed loss and write its gradients by lane: (rows of u, b or v, `FOLD`)."""
    order = np.arange(len(u))
    ones = np.ones(BLOCK, u.dtype)
    hidden, slope = ones.copy(), ones.copy()
    delta = np.empty((len(b), BLOCK), u.dtype)
    loss = 0.0
    g_u[:] = 0
    g_b[:] = 0
    g_v[:] = 0
    for start in range(0, len(labels), BLOCK):
        truth = labels[start : start + BLOCK]
        activate_collapsed(start // LANES, groups, u, order, hidden)
        score_collapsed(hidden, b, v, units, delta)
        loss = softmax(delta, truth, loss)
        delta[:, len(truth) :] = 0
        for s in range(len(truth)):
            delta[truth[s], s] -= ones[0]
        slope[:] = 0
        for k in range(len(b)):
            for s in range(BLOCK):
                slope[s] += delta[k, s] * v[k]
        for s in range(BLOCK):
            slope[s] = slope[s] * hidden[s] * (ones[0] - hidden[s])
        for at in range(0, len(truth), LANES):
            group = (start + at) // LANES
            d = slope[at:]
            fold(ones, d, g_u[0])
            for p in range(groups.ends[group], groups.ends[group + 1]):
                fold(groups.x[p], d, g_u[groups.inputs[p] + 1])
            for k in range(len(b)):
                fold(ones, delta[k, at:], g_b[k])
                fold(hidden[at:], delta[k, at:], g_v[k])
    return loss


@njit(**JIT)
def reduce_lanes(parts: Any, n: int, mean: Any) -> None:
    """Write the sum over lanes and chunks divided by n; `parts` is (chunks, rows, `FOLD`)."""
    count = mean.dtype.type(n)
    lanes = np.empty(FOLD, mean.dtype)
    for row in range(len(mean)):
        total = mean.dtype.type(0)
        for chunk in range(len(parts)):
            lanes[:] = parts[chunk, row]
            half = FOLD // 2
            while half > 0:
                for lane in range(half):
                    lanes[lane] += lanes[lane + half]
                half //= 2
            total += lanes[0]
        mean[row] = total / count
