"""C++ files of this folder, for what PyTorch cannot compute fast on a processor.

Each is compiled at its first use, in some seconds, and kept in the user's cache. It takes addresses
and numbers, so it needs no headers of PyTorch or Python. Whoever calls one has a slower way in
PyTorch, for where there is no compiler or another processor.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import torch

from tooltune.model.base import cache_folder

COMPILER = "g++"
"""Or what `$CXX` names. Its OpenMP is the one that PyTorch's Linux wheels bring: a second one would
have threads of its own, and both would wait for each other's processors."""
_FLAGS = (
    *("-std=c++20", "-O3", "-fopenmp", "-shared", "-fPIC", "-fno-strict-aliasing"),
    *("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512bf16", "-mfma", "-mf16c"),
)


def suits_processor() -> bool:
    """Not those with matrix units (AMX): PyTorch's products use them, ours would not."""
    has = torch.cpu.get_capabilities()
    return bool(has.get("avx512_bf16")) and not has.get("amx_bf16")


def library_path(source: Path) -> Path:
    """Another one for each version of the source and of the headers beside it."""
    files = (source, *sorted(source.parent.glob("*.hpp")))
    code = "\n".join((*(file.read_text(encoding="utf-8") for file in files), *_FLAGS))
    key = hashlib.sha256(code.encode()).hexdigest()[:16]
    return cache_folder() / "compiled" / f"{source.stem}-{key}.so"


@cache
def compiled(source: Path) -> ctypes.CDLL | str:
    """Its functions, or why they are not to be had here."""
    if not suits_processor():
        return "it is for processors with AVX512-BF16 and without AMX"
    library = library_path(source)
    try:
        if not library.is_file() and (fault := _compile(source, library)):
            return fault
        return ctypes.CDLL(str(library))
    except OSError as error:
        return f"{library} cannot be written or loaded ({error})"


def _compile(source: Path, library: Path) -> str:
    """Why not; empty where the library is there afterwards, whole at any moment."""
    wanted = os.environ.get("CXX") or COMPILER
    compiler = shutil.which(wanted)
    if compiler is None:
        return f"no C++ compiler was found ({wanted}); install it, or name one in CXX"
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as temporary:
        made = Path(temporary) / library.name
        command = [compiler, *_FLAGS, str(source), "-o", str(made)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if "error" in line]
            return f"{wanted} failed: {(errors or ['no message'])[0]}"
        made.replace(library)
    return ""
