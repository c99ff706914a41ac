"""glibc's heap, set so that the place of a freed tensor can be used again.

torch takes the memory of a tensor with posix_memalign. What such a block leaves over at its ends,
32 to 96 bytes, glibc before 2.39 puts into caches that are never merged with their neighbours. The
place is then too small for the next tensor of its size, and the heap grows (sourceware.org bugs
14581 and 30723; what it costs: docs/decisions.md). Without those caches the ends are merged. glibc
reads these settings when a process starts, and has no call to change them later.
"""

import os
import sys

_TUNABLES = "glibc.malloc.tcache_count=0:glibc.malloc.mxfast=0"
_FIXED_IN = (2, 39)


def restart_with_merging_heap() -> None:
    """Start this command again in the same process, with the setting in its environment.

    Returns at once where it would change nothing: another C library, one in which the fault is
    mended, a user's own setting, or the setting made before. To be called before anything is read
    or loaded. Of a program that only calls into ours nothing is restarted.
    """
    set_before = os.environ.get("GLIBC_TUNABLES", "")
    if "glibc.malloc." in set_before or not _has_fault() or not _is_own_command():
        return
    os.environ["GLIBC_TUNABLES"] = ":".join(filter(None, (set_before, _TUNABLES)))
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def _has_fault() -> bool:
    try:
        name, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").split()
        major, minor = version.split(".")[:2]
        return name == "glibc" and (int(major), int(minor)) < _FIXED_IN
    except (ValueError, OSError):  # macOS, musl
        return False


def _is_own_command() -> bool:
    """Whether the command line was given to the interpreter as it is parsed."""
    given = sys.argv[1:]
    return len(given) > 0 and sys.orig_argv[-len(given) :] == given
