"""Refusing: a script that needs a GPU for more than its speed cannot be checked without one."""

from __future__ import annotations

import re
import traceback
from typing import NoReturn

from symmetry.base.errors import Failure, NotCheckable
from symmetry.base.raised import line_of
from symmetry.base.user_code import spell, user_place

# Their kernels run on a GPU, and nowhere else.
_ON_GPUS = (
    "triton flash_attn flash_attn_interface apex amp_C xformers transformer_engine mamba_ssm "
    "causal_conv1d bitsandbytes deepspeed cupy pycuda"
)
_NO_HALF = re.compile(r'"(\w+?)(?:_cpu|_out)*" not implemented for \'Half\'|Unsupported dtype Half')
_EXTENSIONS = "cpp_extension.py"
# Words of devices, and of the objects that stand for parts of CUDA.
_OF_DEVICES = re.compile(
    r"[\w.]*cuda[\w.]*|nvidia[\w-]*|nccl|\bgpus?\b|devices?\b|\bhalf\b|float16|not implemented for"
    r"|SimpleNamespace|<locals>|<lambda>|\b_(?:Stream|Event|Scope|Statistics)\b|triton",
    re.IGNORECASE,
)
_OF_THE_DRIVER = re.compile(r"nvidia", re.IGNORECASE)  # a machine without a GPU has none of it
# Mistakes of Python, which a GPU would not change, if they have no word of devices.
_MISTAKES = (
    "IndexError KeyError NameError UnboundLocalError ZeroDivisionError StopIteration TypeError "
    "AttributeError FileNotFoundError FileExistsError ModuleNotFoundError ImportError"
)
_OF_SHAPES = re.compile(r"\b(?:shapes?|sizes?|dimensions?|out of (?:range|bounds))\b")


def refuse(why: str, error: BaseException | None = None) -> NoReturn:
    """Say why the script cannot be checked without a GPU, beginning with the user's line."""
    raise NotCheckable(f"{user_place()} {why}: check it on a machine with a GPU") from error


def refusal(error: BaseException, *, on_cpu: bool) -> NotCheckable | None:
    """Return why a script that has raised this needs a GPU; None if that is not the cause.

    ``on_cpu``: the script needs CUDA, and runs on the CPU in its place.
    """
    text = _reason(error, on_cpu=on_cpu)
    return NotCheckable(f"{spell(*line)} {text}") if text and (line := line_of(error)) else None


def why_of_devices(failure: Failure, line: str) -> str:
    """Say why a failure on the CPU in place of CUDA need not be one on a GPU; else nothing.

    ``line`` is the source line that fails.
    """
    text = f"{failure.text} {line}"
    word = _OF_DEVICES.search(text)
    is_mistake = failure.kind in _MISTAKES.split() or _OF_SHAPES.search(failure.text)
    if word is None and is_mistake:
        return ""
    place = "" if failure.file is None else f"{failure.file}:{failure.line} "
    about = f"is about {word[0]!r}" if word else "may be about its device"
    return f"{place}{failure.text}; this {about}, and a GPU need not do so: check it on one"


def is_of_the_driver(failure: Failure, line: str) -> bool:
    """Return whether a failure is for want of programs that come with a GPU."""
    return _OF_THE_DRIVER.search(f"{failure.text} {line}") is not None


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
