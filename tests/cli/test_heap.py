"""The setting with which glibc merges what is freed, and the restart that it needs."""

import os
import subprocess
import sys

import pytest

from tooltune import heap

# After sourceware.org bug 14581: large blocks come and go, small ones of every size stay.
GROWTH = """
import ctypes
libc = ctypes.CDLL(None)
libc.sbrk.restype = libc.malloc.restype = ctypes.c_void_p
libc.sbrk.argtypes = [ctypes.c_ssize_t]
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.posix_memalign.argtypes = [ctypes.POINTER(ctypes.c_void_p), ctypes.c_size_t, ctypes.c_size_t]
libc.mallopt(-3, 32 << 20)  # M_MMAP_THRESHOLD, where it ends up when torch has run for a while
before = libc.sbrk(0)
for _ in range(40):
    blocks = [ctypes.c_void_p() for _ in range(4)]
    for block in blocks:
        assert libc.posix_memalign(block, 64, 4 << 20) == 0
    for block in blocks:
        libc.free(block)
    for _ in range(8):
        libc.malloc(25)
print((libc.sbrk(0) - before) >> 20)
"""
START = "from tooltune.heap import restart_with_merging_heap as restart; restart();"
SHOW = START + "import os; print(os.getpid(), os.environ.get('GLIBC_TUNABLES', ''))"


def run(code: str, *arguments: str, tunables: str = "") -> tuple[int, str]:
    """Process id, and what the code printed."""
    environment = os.environ | {"GLIBC_TUNABLES": tunables}
    command = [sys.executable, "-c", code, *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate()
    assert process.returncode == 0
    return process.pid, out.strip()


def grown_mib(tunables: str) -> int:
    return int(run(GROWTH, tunables=tunables)[1])


@pytest.mark.skipif(not heap._has_fault(), reason="this C library merges what is freed by itself")
def test_with_the_setting_the_place_of_a_freed_block_is_used_again() -> None:
    assert grown_mib(heap._TUNABLES) < 30
    assert grown_mib("") > 100, "control: without it the heap grows"


@pytest.mark.skipif(not heap._has_fault(), reason="nothing is restarted with this C library")
def test_a_command_starts_again_once_as_the_same_process() -> None:
    pid, out = run(SHOW, "train", "recipe.toml", tunables="glibc.rtld.nns=4")
    assert out == f"{pid} glibc.rtld.nns=4:{heap._TUNABLES}"


def test_a_users_own_setting_is_kept() -> None:
    own = "glibc.malloc.arena_max=1"
    pid, out = run(SHOW, "train", tunables=own)
    assert out == f"{pid} {own}"


def test_a_program_that_calls_ours_is_not_restarted() -> None:
    pid, out = run("import sys; sys.argv = ['tooltune', 'train'];" + SHOW, "something", "else")
    assert out == str(pid)


@pytest.mark.parametrize(
    ("version", "has_fault"),
    [("glibc 2.36", True), ("glibc 2.39", False), ("glibc 2.41.9", False), ("", False)],
)
def test_the_fault_is_known_by_the_librarys_version(
    monkeypatch: pytest.MonkeyPatch, version: str, has_fault: bool
) -> None:
    monkeypatch.setattr(os, "confstr", lambda _name: version)
    assert heap._has_fault() is has_fault
