r"""Every compiled function of the project, in one file.

One file, because Numba's on-disk cache notices a change only in the file of the cached function: a
helper that lived elsewhere could change and leave stale machine code behind.

What is computed
----------------
One pass over a chunk of samples: the forward pass, the loss and, on request, the gradients of

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

Each product is added by a fused multiply-add: IEEE 754's, which rounds once and is written out, so
that no compiler chooses it. Every other operation is an IEEE-754 add, subtract, multiply, divide or
compare that nothing fuses. Hence a naive loop gives the very same bits on any machine
(`tests/network/oracle.py` is that loop), and two hidden units with equal weights are two lanes that
see the same operations on the same numbers: they stay equal for every size.

How it is made fast
-------------------
Every product, large or small, is one operation, `multiply_add`, whose totals stay in registers:

    total[lane] += values[p] * rows[indices[p], lane]    fused, for p in a range, lane in a tile

Hidden units are cut into *tiles* of 64 to 832 bytes, whichever wastes the least (208 float32 in 13
AVX-512 registers: wide enough to be worth the load of value and index). All that is indexed by
hidden units is stored tile by tile, padded with zeros:

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

- Forward: a block of samples, a tile, a part of the inputs; within it sample by sample.
- Backward: the samples' deltas replace their activations in place; a sub-block of samples, a tile;
  within it input by input.
- All of a block is done before the next, so no activation travels to main memory. Few units of a
  dense block are done in shorter stretches, whose inputs are still in the second-level cache when
  the backward pass reads them: they come from memory once.
- Where most inputs are zero, both passes run over lists of nonzeros (`add_lists`): an empty list is
  not there, and a gradient has rows only for inputs that its chunk has.
- A dense block is multiplied as a matrix: `LINES` lines of units for `TOTALS` samples, or inputs,
  at a time, whose values lie in *panels* of samples that serve both passes. Forward, few units
  trade places with samples, which fill the lanes then; backward, their line is cut short, and the
  lanes of a single unit are inputs, whose panels are transposed in registers. Zeros are multiplied,
  too, which changes no finite sum; weights or deltas that are not finite are multiplied by nonzeros
  alone.

Cutting changes no order above: parts, blocks, stretches and sub-blocks are visited in ascending
order and their running totals are stored and taken up again, which rounds nothing.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from symmetry.network.compiler import njit, say

FEATURES = get_host_cpu_features()
if not FEATURES.get("fma", True):  # an x86 processor from before 2013; only x86 may lack it
    say(
        "this processor has no fused multiply-add: the core computes it in software, which gives "
        "the same bits and takes hundreds of times as long"
    )
AVX512 = FEATURES.get("avx512f", False)  # 32 registers of 64 bytes, not 16 of 32
TILES = (64, 256, 448, 832) if AVX512 else (64, 256, 416)  # widths in bytes
LINE_BYTES = 64  # a cache line: one AVX-512 register, the tile of the classes
FEW = 4  # totals of a line side by side, of a product by w2
# Where a block is dense, as much as fits registers: lines of units by totals, bytes of samples by
# units, bytes of few units by inputs.
LINES, TOTALS = (3, 8) if AVX512 else (1, 6)
WIDE_BYTES = LINES * LINE_BYTES
PANEL_BYTES, UNITS = (64, 8) if AVX512 else (96, 4)
FEW_BYTES, INPUTS = LINE_BYTES // 2, 2 * TOTALS
ALONE = 2  # units, at most, that read the panels one unit after the other
PANELS = 8 if AVX512 else 4  # that are side by side then
ABREAST_BYTES = PANELS * PANEL_BYTES
ACROSS = 16 if AVX512 else 24  # inputs side by side in the gradient of a single unit
STRETCH_BYTES = 320 * 1024  # of panels that stay in the second-level cache
BLOCK = 256  # samples
SUB_BLOCK = 64  # samples whose deltas stay in the first-level cache with one row of gradients
PART_BYTES = 72 * 416  # of rows that stay there
PART = 192 if AVX512 else 160  # rows of which that many lines stay there, with a panel's values
DELTAS = 128 if AVX512 else 256  # samples of which that many lines stay there
PART_OF_PANELS = 384  # bytes of each panel's column: a block's stay in the second-level cache

# NumPy's error model: a division by zero gives inf, as IEEE-754 says, and does not keep loops from
# being vectorised. Never fastmath: it would allow another order of sums. Kernels allocate nothing,
# so no reference is counted (`_nrt`).
JIT: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": False}
# Without the entrances from Python and C, which are not used: less to compile.
INNER: dict[str, Any] = {**JIT, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
# Pasted where it is called, which is one place alone: code of its own would be optimised twice.
ONCE: dict[str, Any] = {**JIT, "inline": "always"}

Array = NDArray[Any]


class Weights(NamedTuple):
    """The weights in the layouts that the kernels read; what pads a tile is zero."""

    w1: Array  # (tiles, inputs + 1, tile)
    w2: Array  # (class tiles, units + 1, classes of a tile), for the logits
    w2_back: Array  # (tiles, classes, tile) without the bias, for the deltas
    finite: bool  # whether all of w1 is


class Gradients(NamedTuple):
    """One chunk's gradients, summed over its samples."""

    w1: Array  # (tiles, inputs + 1, tile)
    w2: Array  # (tiles, classes, tile), the rows of the hidden units
    b2: Array  # (classes,), the bias row


class Room(NamedTuple):
    """Where a block is computed: made by NumPy, since to compile that takes a second."""

    hidden: Array  # (tiles, `BLOCK`, tile), then the deltas at the hidden layer
    scores: Array  # (class tiles, `BLOCK`, classes of a tile)
    logits: Array  # (classes, `BLOCK`), then y_hat, then the deltas
    by_row: Array  # (`BLOCK`, classes), the latter by sample
    sums: Array  # (`SUB_BLOCK`, tile)
    by_sample: Array  # (3, `BLOCK`), of `softmax`
    by_unit: Array  # (tile, `BLOCK`), of `activate_few` and `add_alone`


class Nonzeros(NamedTuple):
    """Lists of the nonzeros of a chunk, each to be multiplied and added to a row of totals."""

    values: Array  # (nonzeros,) float32 or float64
    indices: Array  # (nonzeros,) uint16, the row that a value multiplies
    totals: Array  # (lists,) int32, the row of totals that a list is added to
    ends: Array  # list l runs from ends[l] to ends[l + 1]; int64
    groups: Array  # group g has the lists from groups[g] to groups[g + 1]; int64


class Inputs(NamedTuple):
    """The inputs of a chunk: lists of nonzeros for the forward pass, or dense blocks for both."""

    lists: Nonzeros
    part: int  # inputs of a part, from whose first the indices count
    dense: Array  # (blocks,) int64: the number of a dense block among such, or -1
    panels: Array  # (dense blocks, panels, inputs + 1 up to a multiple of `ACROSS`, panel)


class ByInput(NamedTuple):
    """The lists of the backward pass; their indices count from the first of a sub-block."""

    lists: Nonzeros
    sub_block: int


# ------------------------------------------------------------------------------------ arithmetic


@intrinsic
def fma(_: Any, a: Any, b: Any, c: Any) -> Any:  # noqa: ARG001
    """Return a * b + c in the dtype of c, rounded once; a and b are converted to it."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return c(c, c, c), generate


@intrinsic
def reinterpret(_: Any, value: Any, dtype: Any) -> Any:
    """Return the number of that dtype which has the same bits."""
    made = dtype.instance_type

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(made))

    return made(value, dtype), generate


class _Exp(NamedTuple):
    """Constants of the exponential for a dtype."""

    dtype: Any
    integer: Any  # of as many bits
    lowest: float  # below, e^x rounds to 0
    highest: float  # above, e^x overflows
    ln2_high: float  # ln 2 in two parts: any exponent times the first is exact
    ln2_low: float
    degree: int  # of the Taylor polynomial, whose remainder is below a quarter ulp


_EXP = {
    types.float32: _Exp(
        dtype=np.float32,
        integer=np.int32,
        lowest=-104.0,
        highest=89.0,
        ln2_high=0.693359375,
        ln2_low=-2.12194440e-4,
        degree=7,
    ),
    types.float64: _Exp(
        dtype=np.float64,
        integer=np.int64,
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
    dtype, integer = to[:2]
    mantissa, bias = np.finfo(dtype).nmant, 1 - np.finfo(dtype).minexp  # bits; of the exponent
    lowest, highest, ln2_high, ln2_low = (dtype(value) for value in to[2:6])
    log2_e, one = dtype(1 / math.log(2)), dtype(1)
    # Adding 1.5 * 2^mantissa rounds to an integer, which then stands in the sum's low bits.
    rounder = dtype(1.5 * 2.0**mantissa)
    taylor = tuple(dtype(1 / math.factorial(k)) for k in range(to.degree, 1, -1))

    def implementation(x: Any) -> Any:
        x = lowest if x < lowest else x
        x = highest if x > highest else x
        shifted = x * log2_e + rounder
        n = reinterpret(shifted, integer) - reinterpret(rounder, integer)
        whole = shifted - rounder
        r = (x - whole * ln2_high) - whole * ln2_low
        total = taylor[0]
        for coefficient in taylor[1:]:
            total = total * r + coefficient
        total = (total * r + one) * r + one
        # 2^n in two factors: the first product is exact, the second rounds once, if at all.
        half = n >> 1
        power = reinterpret(integer((half + bias) << mantissa), dtype)
        return total * power * reinterpret(integer((n - half + bias) << mantissa), dtype)

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
    bits = reinterpret(x, np.int64)
    # Counting exponents from sqrt(1/2) on: the upper half of the mantissas belongs to the next one.
    upper = int(((bits & 0xFFFFFFFFFFFFF) + 0x95F6400000000) >> 52)
    n += int(bits >> 52) + upper
    f: float = reinterpret((bits & 0xFFFFFFFFFFFFF) | ((1023 - upper) << 52), np.float64) - 1.0
    s = f / (2.0 + f)
    square = s * s
    series = 0.0
    for coefficient in _ATANH:
        series = (series + coefficient) * square
    half = 0.5 * f * f
    return n * _LN2_HIGH - ((half - (s * (half + series) + n * _LN2_LOW)) - f)


def _at(builder: Any, pointer: Any, offset: Any, lanes: int) -> Any:
    """Return a pointer to ``lanes`` lanes."""
    vector = ir.VectorType(pointer.type.pointee, lanes)
    return builder.bitcast(builder.gep(pointer, [offset]), vector.as_pointer())


def _fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c of vectors; `builder.fma` takes scalars only."""
    name = f"llvm.fma.v{a.type.count}{a.type.element.intrinsic_name}"
    found, kind = builder.module.globals.get(name), ir.FunctionType(a.type, [a.type] * 3)
    return builder.call(found or ir.Function(builder.module, kind, name), [a, b, c])


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
    abreast: Any,
) -> Any:
    """Add a list of multiples of rows to a running total that stays in registers.

    In plain Python, with `width` in bytes::

        for p in range(start, stop):
            for lane in range(width // itemsize):
                total[lane] = fma(values[p], rows[indices[p], lane], total[lane])

    where ``indices`` None stands for p itself. If the constant `abreast` is above 1, `total` and
    `values` have one more axis in front, and ``abreast`` totals run side by side: they share the
    loads of a row, and do not wait for each other's additions.

    `width` is a constant, or one of `TILES` that is only known when the code runs. If `total` and
    `rows` have an axis of tiles in front of all others, a tile is a line, and lanes beyond the
    first line are those of the tiles that follow. Lanes must be contiguous, and so must be the
    front axis of `values` if it is longer than `FEW`, unless they come as panels (terms / panel,
    totals, panel); other strides are free. Rows of unsigned integers are converted to the dtype
    of the total, which is exact for bytes. If `rows` alone have that axis of tiles, these are
    panels, and their lanes follow one another in `total`.

    Written in LLVM's own terms because no plain loop keeps that many totals in registers: one
    vector for each cache line of a row (and one for the rest).
    """
    widths = [width.literal_value] if isinstance(width, types.IntegerLiteral) else TILES
    itemsize, row_itemsize = total.dtype.bitwidth // 8, rows.dtype.bitwidth // 8
    count = abreast.literal_value
    listed, convert = not isinstance(indices, types.NoneType), isinstance(rows.dtype, types.Integer)
    # Constants stay literals: calls that differ in one alone must not share machine code.
    signature = types.void(total, values, indices, types.intp, types.intp, rows, width, abreast)
    integer = ir.IntType(64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        named = dict(zip(("total", "values", "indices", "rows"), (0, 1, 2, 5), strict=True))
        start, stop, asked = arguments[3], arguments[4], arguments[6]

        def array(name: str) -> Any:
            made = context.make_array(signature.args[named[name]])
            return made(context, builder, arguments[named[name]])

        def strides(name: str, itemsize: int) -> list[Any]:
            found = array(name).strides
            each = (builder.extract_value(found, axis) for axis in range(len(found.type)))
            return [builder.sdiv(stride, integer(itemsize)) for stride in each]

        scalar = context.get_data_type(signature.args[0].dtype)
        total, values, rows = (array(name).data for name in ("total", "values", "rows"))
        *apart, step = strides("values", itemsize)
        in_panels, panel = len(apart) == 2, PANEL_BYTES // itemsize
        if in_panels or count > FEW:
            apart = [*apart[:-1], integer(panel if in_panels else 1)]
        *before_lanes, _ = strides("total", itemsize)
        *tile_apart, row_length, _ = strides("rows", row_itemsize)
        between = before_lanes[-1] if before_lanes else integer(0)
        total_apart = before_lanes[:-1]
        tile_bytes = PANEL_BYTES if tile_apart and not before_lanes else LINE_BYTES
        line = math.gcd(tile_bytes, LINE_BYTES) // itemsize

        def across(apart: list[Any], lane: int) -> Any:
            """Return where a lane is, given the distances of the tiles, if there are several."""
            if not apart:
                return integer(lane)
            tile, within = divmod(lane, tile_bytes // itemsize)
            return builder.add(builder.mul(apart[0], integer(tile)), integer(within))

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
            there = _at(builder, rows, builder.add(row, across(tile_apart, lane)), n)
            loaded = builder.load(there, align=row_itemsize)
            return builder.uitofp(loaded, ir.VectorType(scalar, n)) if convert else loaded

        def prefetch(row: Any) -> None:
            byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
            kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
            function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
            line = builder.bitcast(builder.gep(values, [row]), byte)
            builder.call(function, [line, *map(number, (0, 3, 1))])  # to read, soon, data

        def loop_of(width: int) -> None:
            """Write the loop for one width, from where the builder stands on."""
            lanes = width // itemsize
            cuts = [(lane, min(line, lanes - lane)) for lane in range(0, lanes, line)]
            pieces = [(k, lane, n) for k in range(count) for lane, n in cuts]
            places = []
            for k, lane, n in pieces:
                row = builder.mul(between, integer(k))
                places.append(_at(builder, total, builder.add(row, across(total_apart, lane)), n))
            before = builder.block
            loop, after = (builder.append_basic_block(name) for name in ("loop", "after"))
            found = [builder.load(place, align=itemsize) for place in places]
            builder.cbranch(builder.icmp_signed("<", start, stop), loop, after)

            builder.position_at_end(loop)
            p, *running = phis([start, *found], before)
            index = p
            if listed:
                index = builder.zext(builder.load(builder.gep(array("indices").data, [p])), integer)
            row = builder.mul(index, row_length)
            factors = {lane: factor(row, lane, n) for lane, n in cuts}
            there = builder.mul(p, step)
            if in_panels:
                start_of_panel = builder.mul(builder.udiv(p, integer(panel)), apart[0])
                sample = builder.urem(p, integer(panel))
                there = builder.add(start_of_panel, sample)
                if AVX512:  # with two loads a product, others have no room for a third
                    following = builder.add(sample, integer(count))
                    prefetch(builder.add(start_of_panel, builder.mul(following, integer(panel))))
            offsets = [
                builder.add(there, builder.mul(apart[-1], integer(k))) if k else there
                for k in range(count)
            ]
            numbers = [builder.load(builder.gep(values, [offset])) for offset in offsets]
            sums = [
                _fused(builder, spread(numbers[k], n), factors[lane], partial)
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
            for place, result in zip(places, results, strict=True):
                builder.store(result, place, align=itemsize)

        if len(widths) == 1:
            loop_of(widths[0])
            return context.get_dummy_value()
        end = builder.append_basic_block("end")
        choice = builder.switch(asked, end)
        for width in widths:
            with builder.goto_block(block := builder.append_basic_block(f"width{width}")):
                choice.add_case(asked.type(width), block)
                loop_of(width)
                builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def multiply_add_across(_: Any, total: Any, values: Any, factors: Any) -> Any:
    """Add multiples of samples to totals of `ACROSS` inputs, which are the lanes.

    In plain Python, with `values` a panel (inputs, panel) from a sample on, and `factors` a column
    of a tile of one line::

        for s in range(FEW_BYTES // itemsize):
            for k in range(ACROSS):
                total[k] = fma(values[k, s], factors[s], total[k])

    Squares of inputs by samples are transposed in registers, since a panel's lanes are samples.
    """
    itemsize, integer = total.dtype.bitwidth // 8, ir.IntType(64)
    lanes, panel = FEW_BYTES // itemsize, PANEL_BYTES // itemsize
    half, quarter = lanes // 2, lanes // 4
    both = (0, lanes)  # the first lane of each of two vectors
    halves = [*range(lanes)]
    lower, upper = (  # lanes of both in turn, from the lower or the upper part of each half
        [k + of for s in (first, half + first) for k in range(s, s + quarter) for of in both]
        for first in (0, quarter)
    )

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        total, values, factors = (
            context.make_array(kind)(context, builder, array).data
            for kind, array in zip(signature.args, arguments, strict=True)
        )

        def load(pointer: Any, offset: int, n: int) -> Any:
            return builder.load(_at(builder, pointer, integer(offset), n), align=itemsize)

        def chosen(a: Any, b: Any, lanes: list[int]) -> Any:
            mask = ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)
            return builder.shuffle_vector(a, b, mask)

        def by_sample(first: int) -> list[Any]:
            """Return a square's samples, whose lanes are inputs from there on."""
            found = []
            for s in (0, half):
                rows = [load(values, (first + k) * panel + s, half) for k in range(lanes)]
                rows = [chosen(rows[k], rows[k + half], halves) for k in range(half)]
                for _ in range(half.bit_length() - 1):
                    pairs = list(zip(rows[: half // 2], rows[half // 2 :], strict=True))
                    rows = [chosen(a, b, part) for a, b in pairs for part in (lower, upper)]
                found += rows
            return found

        numbers = [load(factors, s * LINE_BYTES // itemsize, 1) for s in range(lanes)]
        spread = [chosen(number, number, [0] * lanes) for number in numbers]
        for first in range(0, ACROSS, lanes):
            running = load(total, first, lanes)
            for factor, column in zip(spread, by_sample(first), strict=True):
                running = _fused(builder, column, factor, running)
            builder.store(running, _at(builder, total, integer(first), lanes), align=itemsize)
        return context.get_dummy_value()

    return types.void(total, values, factors), generate


# ---------------------------------------------------------------------------------- the products


@njit(**INNER)
def add_lists(totals: Array, lists: Nonzeros, group: int, rows: Array) -> None:
    """Add a group's lists of multiples of `rows` (..., tile) to their rows of `totals`.

    ``totals[lists.totals[l]] += values of list l @ rows[indices of list l]``
    """
    width = rows.shape[1] * rows.itemsize
    start = lists.ends[lists.groups[group]]
    for each in range(lists.groups[group], lists.groups[group + 1]):
        total, stop = totals[lists.totals[each]], lists.ends[each + 1]
        multiply_add(total, lists.values, lists.indices, start, stop, rows, width, 1)
        start = stop


@njit(**INNER)
def add_products(totals: Array, values: Array, rows: Array) -> None:
    """Add a product of matrices: ``totals[: len(values)] += values @ rows``.

    `rows` is (terms, tile). Each sum runs over the terms in ascending order, a part of them that
    fits L1 after the other.
    """
    count, terms = values.shape
    width = rows.shape[1] * rows.itemsize
    together = count - count % FEW if width == LINE_BYTES else 0
    for first in range(0, terms, PART_BYTES // width):
        last = min(terms, first + PART_BYTES // width)
        for r in range(0, together, FEW):
            multiply_add(totals[r:], values[r:], None, first, last, rows, LINE_BYTES, FEW)
        for r in range(together, count):
            multiply_add(totals[r], values[r], None, first, last, rows, width, 1)


@njit(**INNER)
def clear(totals: Array, count: int) -> None:
    """Set the first rows to zero."""
    for r in range(count):
        for lane in range(totals.shape[1]):
            totals[r, lane] = 0


@njit(**INNER)
def add_products_of_nonzeros(totals: Array, values: Array, rows: Array) -> None:
    """Do as `add_products` and leave out zeros: 0 times infinity is no number."""
    for r in range(len(values)):
        for p in range(values.shape[1]):
            if values[r, p] != 0:
                for lane in range(rows.shape[1]):
                    totals[r, lane] = fma(values[r, p], rows[p, lane], totals[r, lane])


# ------------------------------------------------------------------------------------- the lists


@njit(**JIT)
def list_by_sample(x: Array, dense: Array, part: int, lists: Nonzeros) -> int:
    """List the nonzeros of ``[1, x]`` for the forward pass; return how many lists there are.

    Groups are blocks of samples by parts of the inputs; lists count samples from the block's first,
    indices inputs from the part's first. Blocks whose `dense` is not negative have no lists.
    """
    parts = (x.shape[1] + part) // part
    p = count = 0
    for block in range(len(dense)):
        samples = min(BLOCK, len(x) - block * BLOCK) if dense[block] < 0 else 0
        for q in range(parts):
            for s in range(samples):
                row = x[block * BLOCK + s]
                start = p
                if q == 0:
                    lists.values[p] = 1
                    lists.indices[p] = 0
                    p += 1
                for k in range(max(1, q * part), min(len(row) + 1, (q + 1) * part)):
                    lists.values[p] = row[k - 1]
                    lists.indices[p] = k - q * part
                    p += row[k - 1] != 0  # no branch, which processors would guess wrong
                if p > start:
                    lists.totals[count] = s
                    count += 1
                    lists.ends[count] = p
            lists.groups[block * parts + q + 1] = count
    return count


@njit(**JIT)
def list_by_input(x: Array, dense: Array, sub_block: int, lists: Nonzeros) -> int:
    """List the nonzeros of ``[1, x]`` for the backward pass; return how many lists there are.

    Groups are sub-blocks of samples; lists count inputs, the column of ones first, and indices
    samples from the sub-block's first.
    """
    p = count = 0
    one = x.dtype.type(1)
    for group in range(len(lists.groups) - 1):
        first = group * sub_block
        samples = min(sub_block, len(x) - first) if dense[first // BLOCK] < 0 else 0
        for k in range(x.shape[1] + 1):
            start = p
            for s in range(samples):
                value = x[first + s, k - 1] if k > 0 else one
                lists.values[p] = value
                lists.indices[p] = s
                p += value != 0
            if p > start:
                lists.totals[count] = k
                count += 1
                lists.ends[count] = p
        lists.groups[group + 1] = count
    return count


# ------------------------------------------------------------------------------------- one block


@njit(**ONCE)
def activate(start: int, inputs: Inputs, weights: Weights, samples: int, room: Room) -> None:
    """Compute the hidden layer of a block, or a stretch, into `room.hidden`.

    In NumPy: ``hidden = formulas.sigmoid(formulas.prepend_bias(x) @ w1)``
    """
    hidden, parts = room.hidden, (len(inputs.lists.groups) - 1) // len(inputs.dense)
    block, units = start // BLOCK, weights.w2.shape[1] - 1
    for tile in range(len(hidden)):
        clear(hidden[tile], samples)
    if inputs.dense[block] >= 0:
        panels = inputs.panels[inputs.dense[block], start % BLOCK // inputs.panels.shape[3] :]
        if weights.finite and 2 * units <= hidden.shape[2]:
            activate_few(panels, weights, units, samples, room)
            return
        activate_dense(panels, weights, samples, hidden)
    else:
        for tile in range(len(hidden)):
            for q in range(parts):
                rows = weights.w1[tile, q * inputs.part :]
                add_lists(hidden[tile], inputs.lists, block * parts + q, rows)
    for tile in range(len(hidden)):
        squash(hidden[tile], samples, hidden.shape[2])


@njit(**INNER)
def squash(totals: Array, count: int, lanes: int) -> None:
    """Replace the first rows by their sigmoid."""
    one = totals.dtype.type(1)
    for r in range(count):
        row = totals[r]
        for lane in range(lanes):
            row[lane] = one / (one + exp(-row[lane]))


@njit(**ONCE)
def activate_few(panels: Array, weights: Weights, units: int, samples: int, room: Room) -> None:
    """Compute the hidden layer of a dense stretch of few units, whose other lanes stay zero."""
    w1, by_unit, panel = weights.w1, room.by_unit, panels.shape[2]
    terms = w1.shape[1]
    clear(by_unit, units)
    if units <= ALONE:
        for s in range(0, samples, PANELS * panel):
            for unit in range(units):
                to, values, rows = by_unit[unit, s:], w1[0, :, unit], panels[s // panel :]
                multiply_add(to, values, None, 0, terms, rows, ABREAST_BYTES, 1)
    else:
        for s in range(0, samples, panel):
            for unit in range(0, units, UNITS):
                to, values, rows = by_unit[unit:, s:], w1[0, :, unit:].T, panels[s // panel]
                multiply_add(to, values, None, 0, terms, rows, PANEL_BYTES, UNITS)
    squash(by_unit, units, samples)
    for s in range(samples):
        for unit in range(units):
            room.hidden[0, s, unit] = by_unit[unit, s]


@njit(**ONCE)
def activate_dense(panels: Array, weights: Weights, samples: int, hidden: Array) -> None:
    """Add a dense block's products with w1 to its hidden layer."""
    w1, panel = weights.w1, panels.shape[2]
    terms = w1.shape[1]
    if not weights.finite:
        for tile in range(len(w1)):
            for s in range(0, samples, panel):
                add_products_of_nonzeros(hidden[tile, s:], panels[s // panel].T, w1[tile])
    else:
        wide = len(w1) - len(w1) % LINES
        part = -(-terms // -(-terms // PART))
        for first in range(0, terms, part):
            last = min(terms, first + part)
            for tile in range(0, wide, LINES):
                for s in range(0, samples, TOTALS):
                    to, values = hidden[tile:, s:], panels[s // panel, :, s % panel :].T
                    multiply_add(to, values, None, first, last, w1[tile:], WIDE_BYTES, TOTALS)
            for tile in range(wide, len(w1)):
                for s in range(0, samples, TOTALS):
                    to, values = hidden[tile, s:], panels[s // panel, :, s % panel :].T
                    multiply_add(to, values, None, first, last, w1[tile], LINE_BYTES, TOTALS)


@njit(**ONCE)
def score(hidden: Array, w2: Array, samples: int, scores: Array, logits: Array) -> None:
    """Compute a block's `logits` (classes, `BLOCK`); `w2` is as in `Weights`.

    In NumPy: ``logits = formulas.prepend_bias(hidden) @ w2``. In `scores` (class tiles, `BLOCK`,
    classes of a tile) is room for the sums.
    """
    width, units = hidden.shape[2], w2.shape[1] - 1
    for tile_of_classes in range(len(w2)):
        sums, rows = scores[tile_of_classes], w2[tile_of_classes]
        for s in range(samples):
            for lane in range(sums.shape[1]):
                sums[s, lane] = rows[0, lane]
        for tile in range(len(hidden)):
            values = hidden[tile, :samples, : units - tile * width]
            add_products(sums, values, rows[1 + tile * width :])
    for k in range(len(logits)):
        for s in range(samples):
            logits[k, s] = scores[k // scores.shape[2], s, k % scores.shape[2]]


@njit(**INNER)
def softmax(logits: Array, labels: Array, loss: float, by_sample: Array) -> float:
    """Turn a block's logits (classes, `BLOCK`) into y_hat; return `loss` plus the block's.

    Class by class over the samples, so that every loop runs over contiguous lanes.
    """
    samples = len(labels)
    largest, true, total = by_sample[0], by_sample[1], by_sample[2]
    for s in range(samples):
        largest[s] = logits[0, s]
        true[s] = logits[labels[s], s]
        total[s] = 0
    for k in range(1, len(logits)):
        for s in range(samples):
            if logits[k, s] > largest[s]:
                largest[s] = logits[k, s]
    for k in range(len(logits)):
        for s in range(samples):
            logits[k, s] = exp(logits[k, s] - largest[s])
            total[s] += logits[k, s]
    for k in range(len(logits)):
        for s in range(samples):
            logits[k, s] /= total[s]
    for s in range(samples):
        loss += log(np.float64(total[s])) + (np.float64(largest[s]) - np.float64(true[s]))
    return loss


@njit(**INNER)
def classify(y_hat: Array, labels: Array) -> None:
    """Write the most probable class of each sample of a block, the first of equals."""
    for s in range(len(labels)):
        best = 0
        for k in range(1, len(y_hat)):
            if y_hat[k, s] > y_hat[best, s]:
                best = k
        labels[s] = best


@njit(**ONCE)
def add_output_gradient(hidden: Array, delta: Array, samples: int, gradients: Gradients) -> None:
    """Add a block's gradients by w2; `delta` is (`BLOCK`, classes).

    In NumPy: ``g2 += formulas.prepend_bias(hidden).T @ delta``
    """
    for s in range(samples):
        for k in range(delta.shape[1]):
            gradients.b2[k] += delta[s, k]
    for tile in range(len(hidden)):
        values = delta[:samples, : delta.shape[1]].T
        add_products(gradients.w2[tile], values, hidden[tile])


@njit(**ONCE)
def propagate(delta: Array, w2: Array, samples: int, room: Array, hidden: Array) -> None:
    """Replace a block's hidden layer by the deltas at it; `w2` is `Weights.w2_back`.

    In NumPy: ``hidden = (delta @ w2[1:].T) * hidden * (1 - hidden)``. `delta` is (classes,
    `BLOCK`); in `room` (`SUB_BLOCK`, tile) is room for the sums.
    """
    one = hidden.dtype.type(1)
    for tile in range(len(hidden)):
        for first in range(0, samples, SUB_BLOCK):
            last = min(samples, first + SUB_BLOCK)
            clear(room, SUB_BLOCK)
            add_products(room, delta[:, first:last].T, w2[tile])
            for s in range(first, last):
                total, row = room[s - first], hidden[tile, s]
                for lane in range(len(row)):
                    row[lane] = total[lane] * row[lane] * (one - row[lane])


@njit(**INNER)
def add_alone(panels: Array, delta: Array, samples: int, sums: Array, w1: Array) -> int:
    """Add a dense stretch's gradients of a single unit; return how many samples are done.

    The others are less than a vector. `delta` and `w1` are (samples or inputs, tile); in `sums` is
    room for some inputs.
    """
    lanes, panel = FEW_BYTES // w1.itemsize, panels.shape[2]
    whole: int = samples - samples % lanes
    for k in range(0, panels.shape[1], ACROSS):
        for j in range(ACROSS):
            sums[j] = w1[k + j, 0]
        for s in range(0, whole, lanes):
            multiply_add_across(sums, panels[s // panel, k:, s % panel :], delta[s:, 0])
        for j in range(ACROSS):
            w1[k + j, 0] = sums[j]
    return whole


@njit(**ONCE)
def add_input_gradient(
    start: int, inputs: Inputs, by_input: ByInput, units: int, samples: int, room: Room, w1: Array
) -> None:
    """Add gradients by w1 of a block or a stretch, whose deltas are in `room.hidden`.

    In NumPy: ``g1 += formulas.prepend_bias(x).T @ delta``
    """
    block, delta, by_unit = start // BLOCK, room.hidden, room.by_unit
    if inputs.dense[block] < 0:
        for first in range(0, samples, by_input.sub_block):
            group = (start + first) // by_input.sub_block
            for tile in range(len(w1)):
                add_lists(w1[tile], by_input.lists, group, delta[tile, first:])
        return
    panels = inputs.panels[inputs.dense[block], start % BLOCK // inputs.panels.shape[3] :]
    panel = panels.shape[2]
    if not all_finite(delta, samples):
        for tile in range(len(w1)):
            for s in range(0, samples, panel):
                add_products_of_nonzeros(w1[tile], panels[s // panel], delta[tile, s:])
    elif 2 * units <= delta.shape[2]:
        done = add_alone(panels, delta[0], samples, by_unit[0], w1[0]) if units == 1 else 0
        for k in range(0, panels.shape[1], INPUTS):
            to, values = w1[0, k:], panels[:, k:]
            multiply_add(to, values, None, done, samples, delta[0], FEW_BYTES, INPUTS)
    else:
        wide = len(w1) - len(w1) % LINES
        part = PART_OF_PANELS // delta.itemsize
        for first in range(0, samples, DELTAS):
            last = min(samples, first + DELTAS)
            for top in range(0, panels.shape[1], part):
                bottom = min(panels.shape[1], top + part)
                for tile in range(0, wide, LINES):
                    for k in range(top, bottom, TOTALS):
                        to, values, rows = w1[tile:, k:], panels[:, k:], delta[tile:]
                        multiply_add(to, values, None, first, last, rows, WIDE_BYTES, TOTALS)
                for tile in range(wide, len(w1)):
                    for k in range(top, bottom, TOTALS):
                        to, values, rows = w1[tile, k:], panels[:, k:], delta[tile]
                        multiply_add(to, values, None, first, last, rows, LINE_BYTES, TOTALS)


@njit(**ONCE)
def all_finite(delta: Array, samples: int) -> bool:
    """Return whether a block's deltas (tiles, `BLOCK`, tile) are neither infinite nor nan."""
    finite = True
    for tile in range(len(delta)):
        for s in range(samples):
            for lane in range(delta.shape[2]):
                finite &= delta[tile, s, lane] - delta[tile, s, lane] == 0
    return finite


# ------------------------------------------------------------------------------------- a chunk


@njit(**JIT)
def visit(
    labels: Array,
    inputs: Inputs,
    by_input: ByInput,
    weights: Weights,
    predictions: Array,
    gradients: Gradients,
    room: Room,
) -> float:
    """Return a chunk's summed loss; write its predicted labels and its summed gradients.

    Those that are empty arrays are not wanted. One function for all, since it compiles once.
    """
    hidden, scores, delta, by_row, sums, by_sample, _ = room
    one, units = hidden.dtype.type(1), weights.w2.shape[1] - 1
    loss = 0.0
    for block in range(len(inputs.dense)):
        end, stretch = min(len(labels), (block + 1) * BLOCK), BLOCK
        if inputs.dense[block] >= 0 and 2 * units <= hidden.shape[2]:
            _, _, terms, panel = inputs.panels.shape
            stretch = max(1, STRETCH_BYTES // (terms * ABREAST_BYTES)) * PANELS * panel
        for start in range(block * BLOCK, end, stretch):
            stop = min(end, start + stretch)
            truth = labels[start:stop]
            samples = len(truth)
            activate(start, inputs, weights, samples, room)
            score(hidden, weights.w2, samples, scores, delta)
            loss = softmax(delta, truth, loss, by_sample)
            if len(predictions) > 0:
                classify(delta, predictions[start:stop])
            if len(gradients.b2) > 0:
                for s in range(samples):
                    delta[truth[s], s] -= one
                    for k in range(len(delta)):
                        by_row[s, k] = delta[k, s]
                add_output_gradient(hidden, by_row, samples, gradients)
                propagate(delta, weights.w2_back, samples, sums, hidden)
                add_input_gradient(start, inputs, by_input, units, samples, room, gradients.w1)
    return loss


# --------------------------------------------------------------------------- the collapsed network
#
# One unit instead of many: samples are the lanes. A group of `LANES` samples lists the inputs that
# are not zero in all of them, with the values of every sample. The forward sums run over the inputs
# in ascending order, like those of the full network. A sum over samples runs, for each of `FOLD`
# lanes, over every `FOLD`th sample in ascending order; then over the lanes by halves.

LANES = 64
FOLD = 16
GROUP_BYTES = 256  # four AVX-512 registers: enough sums at a time to hide an addition's latency


class Groups(NamedTuple):
    """The inputs that a group of samples needs, group by group."""

    x: Array  # (listed, LANES), bytes or the core's dtype; zero beyond the last sample
    inputs: Array  # (listed,) int32
    ends: Array  # (groups + 1,) int64


class CollapsedRoom(NamedTuple):
    """Where a block is computed."""

    ones: Array  # (`BLOCK`,)
    hidden: Array  # (`BLOCK`,), the unit
    slope: Array  # (`BLOCK`,), the delta at the unit
    delta: Array  # (classes, `BLOCK`): logits, then y_hat, then the deltas
    by_sample: Array  # (3, `BLOCK`), of `softmax`
    weights: Array  # (inputs,), those of a group


class CollapsedWeights(NamedTuple):
    """The weights of the one unit, or their gradients."""

    u: Array  # (inputs + 1,)
    b: Array  # (classes,)
    v: Array  # (classes,)


@njit(**INNER)
def fold(a: Array, d: Array, total: Array) -> None:
    """Add the products of a group of samples to `total` (`FOLD` lanes)."""
    for first in range(0, LANES, FOLD):
        for lane in range(FOLD):
            total[lane] = fma(a[first + lane], d[first + lane], total[lane])


@njit(**ONCE)
def activate_collapsed(first: int, groups: Groups, u: Array, hidden: Array, weights: Array) -> None:
    """Compute the unit for the samples of a block, `first` its first group, into `hidden`."""
    one = hidden.dtype.type(1)
    for s in range(BLOCK):
        hidden[s] = u[0]
    for group in range(first, min(first + BLOCK // LANES, len(groups.ends) - 1)):
        z = hidden[(group - first) * LANES :]
        inputs = groups.inputs[groups.ends[group] : groups.ends[group + 1]]
        rows = groups.x[groups.ends[group] :]
        for p in range(len(inputs)):
            weights[p] = u[inputs[p] + 1]
        for lane in range(0, LANES, GROUP_BYTES // u.itemsize):
            multiply_add(z[lane:], weights, None, 0, len(inputs), rows[:, lane:], GROUP_BYTES, 1)
    for s in range(BLOCK):
        hidden[s] = one / (one + exp(-hidden[s]))


@njit(**ONCE)
def score_collapsed(hidden: Array, b: Array, v: Array, units: int, logits: Array) -> None:
    """Compute a block's `logits` (classes, `BLOCK`): b + units * v * hidden."""
    for k in range(len(b)):
        weight = hidden.dtype.type(units) * v[k]
        for s in range(BLOCK):
            logits[k, s] = fma(weight, hidden[s], b[k])


@njit(**JIT)
def visit_collapsed(
    labels: Array,
    groups: Groups,
    weights: CollapsedWeights,
    units: int,
    predictions: Array,
    gradients: CollapsedWeights,
    room: CollapsedRoom,
) -> float:
    """Return a chunk's summed loss; write its predicted labels and its gradients by lane.

    Gradients are (rows of u, b or v, `FOLD`). Those that are empty arrays are not wanted.
    """
    u, b, v = weights
    ones, hidden, slope, delta = room.ones, room.hidden, room.slope, room.delta
    loss = 0.0
    for start in range(0, len(labels), BLOCK):
        truth = labels[start : start + BLOCK]
        activate_collapsed(start // LANES, groups, u, hidden, room.weights)
        score_collapsed(hidden, b, v, units, delta)
        loss = softmax(delta, truth, loss, room.by_sample)
        if len(predictions) > 0:
            classify(delta, predictions[start : start + BLOCK])
        if len(gradients.b) == 0:
            continue
        for k in range(len(b)):
            for s in range(len(truth), BLOCK):
                delta[k, s] = 0
        for s in range(len(truth)):
            delta[truth[s], s] -= ones[0]
        for s in range(BLOCK):
            slope[s] = 0
        for k in range(len(b)):
            for s in range(BLOCK):
                slope[s] = fma(delta[k, s], v[k], slope[s])
        for s in range(BLOCK):
            slope[s] = slope[s] * hidden[s] * (ones[0] - hidden[s])
        for at in range(0, len(truth), LANES):
            group = (start + at) // LANES
            d = slope[at:]
            fold(ones, d, gradients.u[0])
            for p in range(groups.ends[group], groups.ends[group + 1]):
                fold(groups.x[p], d, gradients.u[groups.inputs[p] + 1])
            for k in range(len(b)):
                fold(ones, delta[k, at:], gradients.b[k])
                fold(hidden[at:], delta[k, at:], gradients.v[k])
    return loss
