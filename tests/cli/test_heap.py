"""The settings with which glibc keeps and merges what is freed, and the restart they need."""

import os
import subprocess
import sys

import pytest
import torch

from tooltune import heap
from tooltune.model.norm import brief_rows_like

LIBC = """
import ctypes, resource, sys
libc = ctypes.CDLL(None)
libc.sbrk.restype = libc.malloc.restype = ctypes.c_void_p
libc.sbrk.argtypes = [ctypes.c_ssize_t]
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.posix_memalign.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_size_t]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
def tensor(size):
    place = ctypes.c_void_p()
    assert libc.posix_memalign(place, 64, size) == 0
    return place
"""
# After sourceware.org bug 14581: large blocks come and go, small ones of every size stay.
GROWTH = """
libc.mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD, where it ends up when torch has run for a while
before = libc.sbrk(0)
for _ in range(40):
    blocks = [tensor(4 << 20) for _ in range(4)]
    for block in blocks:
        libc.free(block)
    for _ in range(8):
        libc.malloc(25)
print((libc.sbrk(0) - before) >> 20)
"""
# Tensors of an update come and go.
FAULTS = """
for turn in range(4):
    if turn == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    blocks = [libc.malloc(size << 20) for size in (4, 16, 24)]
    for block, size in zip(blocks, (4, 16, 24)):
        libc.memset(block, 1, size << 20)
    for block in blocks:
        libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
# Layer by layer something brief, then something larger and something of its size, which stay; from
# eight places, for at some of them a tensor's size is enough.
HOLES = """
before = libc.sbrk(0)
for place in range(8):
    libc.malloc((9 << 20) + 16 * place)
    for _ in range(5):
        brief, larger = tensor((6 << 20) + int(sys.argv[1])), tensor(8 << 20)
        libc.free(brief)
        kept = tensor(6 << 20)
print((libc.sbrk(0) - before) >> 20)
"""
START = "from tooltune.heap import restart_with_own_heap as restart; restart();"
SHOW = START + "import os; print(os.getpid(), os.environ.get('GLIBC_TUNABLES', ''))"


def run(code: str, *arguments: str, tunables: str = "") -> tuple[int, str]:
    """Process id, and what the code printed."""
    environment = os.environ | {"GLIBC_TUNABLES": tunables}
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    return process.pid, out.strip()


def printed_number(code: str, tunables: str, *arguments: str) -> int:
    return int(run(LIBC + code, *arguments, tunables=tunables)[1])


needs_glibc = pytest.mark.skipif(not heap._tunables(), reason="not glibc: nothing is set")


@pytest.mark.skipif(heap._MERGE not in heap._tunables(), reason="this C library merges by itself")
def test_with_the_setting_the_place_of_a_freed_block_is_used_again() -> None:
    assert printed_number(GROWTH, heap._tunables()) < 30
    assert printed_number(GROWTH, "") > 100, "control: without it the heap grows"


@needs_glibc
def test_with_the_setting_freed_memory_is_not_cleared_again() -> None:
    assert printed_number(FAULTS, heap._tunables()) < 500
    assert printed_number(FAULTS, "") > 10_000, "control: pages of 4 KiB, asked for three times"


@pytest.mark.skipif(heap._MERGE not in heap._tunables(), reason="this C library aligns otherwise")
def test_what_is_brief_leaves_a_place_for_what_is_kept() -> None:
    margin = brief_rows_like(torch.empty(1, 1, dtype=torch.bfloat16)).untyped_storage().nbytes()
    assert printed_number(HOLES, heap._tunables(), f"{margin}") < 650
    assert printed_number(HOLES, heap._tunables(), "0") > 750, "control: of one size, few fit"


@needs_glibc
def test_a_command_starts_again_once_as_the_same_process() -> None:
    pid, out = run(SHOW, "train", "recipe.toml", tunables="glibc.rtld.nns=4")
    assert out == f"{pid} glibc.rtld.nns=4:{heap._tunables()}"


def test_a_users_own_setting_is_kept() -> None:
    own = "glibc.malloc.arena_max=1"
    pid, out = run(SHOW, "train", tunables=own)
    assert out == f"{pid} {own}"


def test_a_program_that_calls_ours_is_not_restarted() -> None:
    pid, out = run("import sys; sys.argv = ['tooltune', 'train'];" + SHOW, "something", "else")
    assert out == str(pid)


@pytest.mark.parametrize(
    ("version", "tunables"),
    [
        ("glibc 2.36", f"{heap._KEEP}:{heap._MERGE}"),
        ("glibc 2.39", heap._KEEP),
        ("glibc 2.41.9", heap._KEEP),
        ("musl 1.2", ""),
        ("", ""),
    ],
)
def test_the_settings_go_by_the_librarys_version(
    monkeypatch: pytest.MonkeyPatch, version: str, tunables: str
) -> None:
    monkeypatch.setattr(os, "confstr", lambda _name: version)
    assert heap._tunables() == tunables


def test_compiled_products_are_bounded_but_for_a_users_own_number() -> None:
    program = START + "import os; print(os.environ['ONEDNN_PRIMITIVE_CACHE_CAPACITY'])"
    for given, expected in (({}, "256"), ({"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "7"}, "7")):
        done = subprocess.run(
            [sys.executable, "-c", program, "argument"],
            env={**os.environ, **given},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == expected
