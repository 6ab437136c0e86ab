"""What a person found who looked into a row that is not the same, by its line."""

# F.avg_pool2d(x, 2, 2, ceil_mode=True) of 5 x 5 ones: eager gives the corner the gradient 1, and
# the compiled function 1/4. F.lp_pool2d takes the mean by the same function.
_CEILING = (
    "a bug of inductor, found before as pytorch/pytorch#198119 (open): the backward of average "
    "pooling with ceil_mode=True divides by the whole kernel, also where a window is cut off"
)
JUDGED: dict[str, str] = {
    "layers=image/average-pool width=26 size=5 batch=1"
    " loss=cosine rule=adamw dynamic=False dtype=float32": _CEILING,
    "layers=image/bilinear/power-pool/norm width=36 size=5 batch=3"
    " loss=huber rule=adamw dynamic=False dtype=float64": _CEILING,
    "layers=image/bilinear/power-pool/norm width=13 size=5 batch=5"
    " loss=huber rule=sgd dynamic=False dtype=float32": _CEILING,
    "layers=image/power-pool/max-pool/where width=20 size=9 batch=5"
    " loss=margin rule=adamw dynamic=True dtype=float32": _CEILING,
}
