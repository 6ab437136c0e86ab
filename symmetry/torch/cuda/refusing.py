"""Refusing: a script that needs a GPU for more than its speed cannot be checked without one."""

from __future__ import annotations

import re
import traceback
from typing import NoReturn

from symmetry.base.errors import NotCheckable
from symmetry.base.raised import line_of
from symmetry.base.user_code import spell, user_place

# Their kernels run on a GPU, and nowhere else.
_ON_GPUS = (
    "triton flash_attn flash_attn_interface apex amp_C xformers transformer_engine mamba_ssm "
    "causal_conv1d bitsandbytes deepspeed cupy pycuda"
)
_NO_HALF = re.compile(r'"(\w+?)(?:_cpu|_out)*" not implemented for \'Half\'|Unsupported dtype Half')
_EXTENSIONS = "cpp_extension.py"


def refuse(why: str, error: BaseException | None = None) -> NoReturn:
    """Say why the script cannot be checked without a GPU, beginning with the user's line."""
    raise NotCheckable(f"{user_place()} {why}: check it on a machine with a GPU") from error


def refusal(error: BaseException, *, on_cpu: bool) -> NotCheckable | None:
    """Return why a script that has raised this needs a GPU; None if that is not the cause.

    ``on_cpu``: the script needs CUDA, and runs on the CPU in its place.
    """
    text = _reason(error, on_cpu=on_cpu)
    return NotCheckable(f"{spell(*line)} {text}") if text and (line := line_of(error)) else None


def _reason(error: BaseException, *, on_cpu: bool) -> str:
    if isinstance(error, ModuleNotFoundError):
        package = (error.name or "").partition(".")[0]
        if package in _ON_GPUS.split():
            return f"imports {package}, whose kernels run on a GPU alone: check it on one"
    if (name := _extension(error)) is not None:
        return f"compiles the CUDA extension {name!r} with nvcc: it has no CPU version"
    if on_cpu and (missing := _NO_HALF.search(str(error))):
        what = f"float16 {missing[1]}" if missing[1] else "this operation in float16"
        return f"needs {what}, which does not exist on the CPU: try bfloat16 or float32"
    return ""


def _extension(error: BaseException) -> str | None:
    """Return the name of the extension that could not be compiled; None if none was."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        code = frame.f_code
        if code.co_filename.endswith(_EXTENSIONS) and code.co_name in ("load", "load_inline"):
            variables = frame.f_locals
            sources = str(variables.get("sources", "")) + str(variables.get("cuda_sources") or "")
            if ".cu" in sources or variables.get("cuda_sources") or variables.get("with_cuda"):
                return str(variables.get("name", ""))
    return None
