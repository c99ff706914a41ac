"""Compiling the kernels, for this processor and others: what is made, kept and made anew, and what
is said where it cannot be."""

import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from tooltune.model import compiled
from tooltune.model.compiled import (
    compile_kernels,
    compiler_command,
    in_pytorch,
    kernels_for,
    kernels_obstacle,
    library_path,
    suits_processor,
)
from tooltune.model.fastest import Heads, fastest_kernel

CPU, BF16, HEADS = torch.device("cpu"), torch.bfloat16, Heads(9, 3, 64)
PROCESSORS = {
    "AMD Zen 3": {"avx2", "fma3", "f16c"},
    "Intel Cascade Lake": {"avx2", "fma3", "f16c", "avx512_f", "avx512_dq"},
    "AMD Zen 4": {"avx2", "fma3", "f16c", "avx512_f", "avx512_dq", "avx512_bf16"},
    "Intel Sapphire Rapids": {"avx2", "fma3", "f16c", "avx512_dq", "avx512_bf16", "amx_bf16"},
}
"""What some have of what is asked for."""
needs_compiler = pytest.mark.skipif(
    not compiler_command() or (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="no C++ compiler for these kernels",
)


def on_processor(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: dict.fromkeys(PROCESSORS[name], True)
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty one, on a processor that the kernels are for; they are loaded, not run."""
    monkeypatch.setenv("TOOLTUNE_CACHE", str(tmp_path))
    on_processor("AMD Zen 4", monkeypatch)
    compiled._compiled.cache_clear()
    yield tmp_path
    compiled._compiled.cache_clear()


@needs_compiler
@pytest.mark.parametrize("dtype", [torch.float32, BF16])
def test_they_are_compiled_once(
    dtype: torch.dtype, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not kernels_obstacle(dtype)
    assert [path.suffix for path in (cache / "compiled").iterdir()] == [".so"]
    assert fastest_kernel(CPU, dtype, HEADS) == "fused"
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("compiled again"))
    compiled._compiled.cache_clear()
    assert not kernels_obstacle(dtype)


@pytest.mark.parametrize("name", PROCESSORS)
def test_each_processor_has_those_of_its_instructions(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_processor(name, monkeypatch)
    assert suits_processor(BF16) == (name == "AMD Zen 4")
    assert suits_processor(torch.float32)
    of_this_one = library_path(torch.float32)
    on_processor("AMD Zen 3", monkeypatch)
    assert (library_path(torch.float32) == of_this_one) == (name == "AMD Zen 3")


def test_others_compute_in_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": False, "neon": True})
    compiled._compiled.cache_clear()
    for dtype, kernel in (
        (torch.float32, "segments"),
        (BF16, "tiles"),
        (torch.float64, "segments"),
    ):
        assert "it is for bfloat16 on processors with" in kernels_obstacle(dtype)
        assert fastest_kernel(CPU, dtype, HEADS) == kernel
    compiled._compiled.cache_clear()


@pytest.mark.compiled_kernels(torch.float32)
def test_inside_in_pytorch_there_are_none() -> None:
    numbers = torch.zeros(4)
    with in_pytorch(), in_pytorch():
        pass
    assert kernels_for(numbers) is not None
    with in_pytorch():
        assert kernels_for(numbers) is None
        assert fastest_kernel(CPU, torch.float32, HEADS) == "segments"
    assert fastest_kernel(CPU, torch.float32, HEADS) == "fused"


@needs_compiler
def test_half_a_library_is_made_anew(cache: Path) -> None:
    library = library_path(BF16)
    library.parent.mkdir()
    library.write_bytes(b"half a file")
    assert not kernels_obstacle(BF16)
    assert library.stat().st_size > 10_000


@needs_compiler
def test_a_compiler_may_be_called_with_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "g++ -DNDEBUG")
    assert compile_kernels(tmp_path / "kernels.so", torch.float32) == ""


def compiler_called(name: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    return lambda _, monkeypatch: monkeypatch.setenv("CXX", name)


def compiler_that_says(text: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    def harm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        script = folder / "c++"
        script.write_text(f"#!/bin/sh\nprintf '{text}' >&2; exit 1\n")
        script.chmod(0o755)
        monkeypatch.setenv("CXX", str(script))

    return harm


def cache_is_a_file(folder: Path, _: pytest.MonkeyPatch) -> None:
    (folder / "compiled").write_text("")


def no_home(_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(compiled, "cache_folder", fail)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (compiler_called("no-such-c++ -O2"), "no C++ compiler was found (no-such-c++ -O2)"),
        (compiler_called("'g++"), "no C++ compiler was found ('g++)"),
        (compiler_called(" "), "no C++ compiler was found ( )"),
        (compiler_that_says("In f():\\nerror: no such option"), "failed: error: no such option"),
        (
            compiler_that_says("ld: cannot find -lgomp\\ncollect2: error: ld returned 1"),
            "failed: ld: cannot find -lgomp",
        ),
        (compiler_that_says(""), "failed: it said nothing"),
        (cache_is_a_file, "they cannot be written to the cache or loaded from it"),
        (no_home, "Could not determine home directory"),
    ],
)
def test_without_them_tiles_compute_and_the_reason_is_told(
    harm: Callable[[Path, pytest.MonkeyPatch], None],
    reason: str,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    harm(cache, monkeypatch)
    assert reason in kernels_obstacle(BF16)
    assert fastest_kernel(CPU, BF16, HEADS) == "tiles"
