"""What a training process keeps of memory it has freed: glibc's heap, and compiled products.

The heap is set so that the place of a freed tensor is kept and can be used again.

Two things are wrong with it as it comes; what they cost is in docs/decisions.md.

Freed memory at the heap's end goes back to the system, only to be asked for again a moment later;
each of its pages is then cleared anew. Ours stays. Blocks over 32 MiB, the most that glibc itself
comes to, are still given back: in the heap their places are cut up by smaller tensors.

torch takes the memory of a tensor with posix_memalign. What such a block leaves over at its ends,
32 to 96 bytes, glibc before 2.39 puts into caches that are never merged with their neighbours. The
place is then too small for the next tensor of its size, and the heap grows (sourceware.org bugs
14581 and 30723). Without those caches the ends are merged; but for a tensor of the same size the
place of a freed one is still too small by those bytes, so what a layer makes for a moment among
tensors that stay takes a little more (`brief_rows_like` in model/norm.py).

glibc reads the latter when a process starts, and has no call to change it later.

In bfloat16 torch's products on a processor are compiled by oneDNN for each shape, up to 0.7 MiB a
shape, and the last 1,024 are kept, by two caches. An update has about 150 shapes, the next one
others.
"""

import os
import sys

_KEEP = f"glibc.malloc.trim_threshold={2**40}:glibc.malloc.mmap_threshold={2**25}"
_MERGE = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"
_MERGES_SINCE = (2, 39)


_COMPILED_PRODUCTS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "256", "LRU_CACHE_CAPACITY": "256"}
"""Of oneDNN, and of ideep, through which torch calls it. Both are read at the first product."""


def restart_with_own_heap() -> None:
    """Start this command again in the same process, with the settings in its environment.

    Returns at once where it would change nothing: another C library, a user's own setting, or the
    settings made before. To be called before anything is read or loaded. Of a program that only
    calls into ours nothing is restarted.
    """
    os.environ.update({**_COMPILED_PRODUCTS, **os.environ})
    set_before, ours = os.environ.get("GLIBC_TUNABLES", ""), _tunables()
    if "glibc.malloc." in set_before or not ours or not _is_own_command():
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, (set_before, ours)))
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _tunables() -> str:
    """The settings for this C library; empty where it is not glibc."""
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        major, minor = version.split(".")[:2]
        merges = (int(major), int(minor)) >= _MERGES_SINCE
    except (ValueError, OSError):  # macOS, musl
        return ""
    if name != "glibc":
        return ""
    return _KEEP if merges else f"{_KEEP}:{_MERGE}"


def _is_own_command() -> bool:
    """Whether the command line was given to the interpreter as it is parsed."""
    given = sys.argv[1:]
    return len(given) > 0 and sys.orig_argv[-len(given) :] == given
