"""The C++ of `kernels/`, for what PyTorch computes slowly on a processor: in bfloat16 above all.

It is compiled for bfloat16 or float32 at the first use of that, in some seconds, and kept in the
user's cache. It takes addresses and numbers, so it needs no headers of PyTorch or Python. Each
caller has a slower way in PyTorch, for where there is no compiler, and for other processors.
"""

import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    *("-std=c++20", "-O3", "-ffp-contract=fast", "-fopenmp", "-shared", "-fPIC"),
    *("-fno-strict-aliasing", "-mfma", "-mf16c"),
)
_AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl")


def suits_processor(dtype: torch.dtype) -> bool:
    """Whether they are for numbers of this kind on this one."""
    return bool(_instructions(dtype))


def _instructions(dtype: torch.dtype) -> tuple[str, ...]:
    """What of this processor's the compiler may use; empty where the kernels are not for it.

    bfloat16 not where there are matrix units (AMX): PyTorch's products use them, ours would not.
    """
    has = torch.cpu.get_capabilities()
    if dtype == torch.bfloat16 and has.get("avx512_bf16") and not has.get("amx_bf16"):
        return (*_AVX512, "-mavx512bf16")
    if dtype == torch.float32 and has.get("avx512_dq"):
        return _AVX512
    if dtype == torch.float32 and all(map(has.get, ("avx2", "fma3", "f16c"))):
        return ("-mavx2",)
    return ()


def kernels_obstacle(dtype: torch.dtype) -> str:
    """Why they are not to be had for these numbers here; empty where they are."""
    found = _found(dtype)
    return found if isinstance(found, str) else ""


def kernels_for(*tensors: Tensor, computes_in: torch.dtype | None = None) -> Any | None:
    """The compiled functions, where they are to be had for these tensors, all of one dtype and in
    the processor's memory; else None. `computes_in` stands for the dtype of what is stored
    otherwise.

    A tensor of a class of its own is not its memory: those of the planner's dry run have none.
    """
    if any(x.device.type != "cpu" or type(x) not in (Tensor, nn.Parameter) for x in tensors):
        return None
    dtypes = {computes_in} if computes_in else {x.dtype for x in tensors}
    if len(dtypes) > 1:
        return None
    found = _found(dtypes.pop())
    return None if isinstance(found, str) else found


@contextmanager
def in_pytorch() -> Iterator[None]:
    """Inside, there are none: what they are tested against, and timed beside."""
    global _is_in_pytorch
    before, _is_in_pytorch = _is_in_pytorch, True
    try:
        yield
    finally:
        _is_in_pytorch = before


_is_in_pytorch = False


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


def library_path(dtype: torch.dtype) -> Path:
    """Another one for each version of the source, and for other instructions."""
    code = [path.read_text(encoding="utf-8") for path in sorted(KERNELS.glob("*.[ch]pp"))]
    words = "\n".join((*code, *_FLAGS, *_instructions(dtype)))
    key = hashlib.sha256(words.encode()).hexdigest()[:16]
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


def _found(dtype: torch.dtype) -> ctypes.CDLL | str:
    return "they are switched off" if _is_in_pytorch else _compiled(dtype)


@cache
def _compiled(dtype: torch.dtype) -> ctypes.CDLL | str:
    if not suits_processor(dtype):
        return (
            "it is for bfloat16 on processors with AVX512-BF16 and without AMX, and for float32 on "
            f"those with AVX2, not for {str(dtype).removeprefix('torch.')} here"
        )
    try:
        library = library_path(dtype)
        if library.is_file():
            # Half a file, or one from another machine that shares the cache, is made anew.
            with suppress(OSError):
                return ctypes.CDLL(str(library))
        return compile_kernels(library, dtype) or ctypes.CDLL(str(library))
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home folder
        return f"they cannot be written to the cache or loaded from it ({error})"


def compile_kernels(library: Path, dtype: torch.dtype) -> str:
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
        command = [*compiler, *_FLAGS, *_instructions(dtype), *sources, "-o", str(made)]
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
