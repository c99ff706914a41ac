"""The C++ of `kernels/`, for what PyTorch cannot compute fast in bfloat16 on a processor.

It is compiled at its first use, in some seconds, and kept in the user's cache. It takes addresses
and numbers, so it needs no headers of PyTorch or Python. Each caller has a slower way in PyTorch,
for where there is no compiler, and for other processors.
"""

import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from contextlib import suppress
from ctypes import c_float, c_size_t, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tooltune.model.base import cache_folder

KERNELS = Path(__file__).with_name("kernels")
COMPILER = "g++"
"""Or the command in `$CXX`. Its OpenMP is the one that PyTorch's Linux wheels bring: a second one,
such as clang's, would have threads of its own, and both would wait for each other's processors."""
_FLAGS = (
    *("-std=c++20", "-O3", "-fopenmp", "-shared", "-fPIC", "-fno-strict-aliasing"),
    *("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512bf16", "-mfma", "-mf16c"),
)


def suits_processor() -> bool:
    """Not those with matrix units (AMX): PyTorch's products use them, ours would not."""
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16")) and not has.get("amx_bf16")


def kernels_obstacle() -> str:
    """Why they are not to be had here; empty where they are."""
    found = _compiled()
    return found if isinstance(found, str) else ""


def kernels_for(*tensors: Tensor, computes_in: torch.dtype | None = None) -> Any | None:
    """The compiled functions, where they are to be had and these tensors are bfloat16 in the
    processor's memory; else None. `computes_in` stands for the dtype of what is stored otherwise.

    A tensor of a class of its own is not its memory: those of the planner's dry run have none.
    """
    if any(x.device.type != "cpu" or type(x) not in (Tensor, nn.Parameter) for x in tensors):
        return None
    if ({computes_in} if computes_in else {x.dtype for x in tensors}) != {torch.bfloat16}:
        return None
    found = _compiled()
    return None if isinstance(found, str) else found


def call(function: Any, *arguments: Any) -> None:
    """Of tensors the address is passed; they have to be contiguous."""
    function(*map(_as_c, arguments))


def _as_c(argument: Any) -> Any:
    if isinstance(argument, Tensor):
        assert argument.is_contiguous()
        return c_void_p(argument.data_ptr())
    if isinstance(argument, int):
        return c_size_t(argument)
    return c_float(argument) if isinstance(argument, float) else argument


def library_path() -> Path:
    """Another one for each version of the source."""
    code = [path.read_text(encoding="utf-8") for path in sorted(KERNELS.glob("*.[ch]pp"))]
    key = hashlib.sha256("\n".join((*code, *_FLAGS)).encode()).hexdigest()[:16]
    return cache_folder() / "compiled" / f"kernels-{key}.so"


def compiler_command() -> list[str]:
    """The words of it; empty where there is none."""
    try:
        words = shlex.split(_wanted_compiler())
    except ValueError:  # a quotation without an end
        return []
    return words if words and shutil.which(words[0]) else []


def _wanted_compiler() -> str:
    return os.environ.get("CXX") or COMPILER


@cache
def _compiled() -> ctypes.CDLL | str:
    if not suits_processor():
        return "it is for processors with AVX512-BF16 and without AMX"
    try:
        library = library_path()
        if library.is_file():
            # Half a file, or one from another machine that shares the cache, is made anew.
            with suppress(OSError):
                return ctypes.CDLL(str(library))
        return compile_kernels(library) or ctypes.CDLL(str(library))
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        return f"they cannot be written to the cache or loaded from it ({error})"


def compile_kernels(library: Path) -> str:
    """Why not; empty where the library is there afterwards, whole at any moment. Raises OSError
    where it cannot be written."""
    compiler = compiler_command()
    if not compiler:
        wanted = _wanted_compiler()
        return f"no C++ compiler was found ({wanted}); install it, or name one in CXX"
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as temporary:
        made = Path(temporary) / library.name
        sources = map(str, sorted(KERNELS.glob("*.cpp")))
        command = [*compiler, *_FLAGS, *sources, "-o", str(made)]
        english = os.environ | {"LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=english)
        if done.returncode:
            return f"{shlex.join(compiler)} failed: {_cause(done.stderr)}"
        made.replace(library)
    return ""


def _cause(messages: str) -> str:
    """The line of a compiler's messages that says most."""
    lines = [line for line in messages.splitlines() if line.strip() and "collect2" not in line]
    errors = [line for line in lines if "error" in line]
    return (errors or lines or ["it said nothing"])[0]
