"""What both sides gave, as the file others read and as a table."""

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from bench.workloads import RECIPE, Workload

LOSS_TOLERANCE = {"fp32": 1e-4, "bf16": 1e-2}
"""Largest relative difference of the two losses, by the coarser number format of the two."""
SEED_PEAK_GB = 5.0
"""What the seed recipe promises of 4 x 2,048 tokens with Qwen3-1.7B, in 1e9 bytes."""


OURS = ("examples_per_second", "ratio", "peak_gib", "memory_ratio", "loss")
"""Figures of an entry that hang on our side's setting."""
PEERS = ("peer", "peer_examples_per_second", "ratio", "peer_peak_gib", "memory_ratio", "peer_loss")
"""Those that hang on who the peer is."""


@dataclass
class Result:
    """What both sides said of one workload; the first record of each is the warm-up step."""

    workload: Workload
    ready: dict[str, Any]
    ours: list[dict[str, float]] = field(default_factory=list)
    peer_ready: dict[str, Any] | None = None
    peer: list[dict[str, float]] = field(default_factory=list)
    setting: str = ""
    """Of ours, where it is not the fastest, or beside whom, where it is not the first peer."""
    others: list["Result"] = field(default_factory=list)
    """The same steps in our other settings, against the same steps of the peer."""
    unsloth: "Result | None" = None
    """Our same steps against those of the second peer."""

    def entry(self) -> dict[str, Any]:
        """One workload of bench/results/latest.json. Speeds are medians over the measured steps;
        `ratio` and `memory_ratio` are ours over the peer's; None where no peer ran. The name of
        another setting of ours, or of the second peer, holds what differs there."""
        speed, peak, loss = self._figures(self.ours)
        peer_speed, peer_peak, peer_loss = self._figures(self.peer)
        return {
            "examples_per_second": _rounded(speed),
            "peer_examples_per_second": _rounded(peer_speed),
            "peer": self.peer_ready and self.peer_ready["trainer"],
            "ratio": _rounded(speed / peer_speed if peer_speed else None),
            "peak_gib": _rounded(peak),
            "peer_peak_gib": _rounded(peer_peak),
            "memory_ratio": _rounded(peak / peer_peak if peer_peak else None),
            "loss": loss,
            "peer_loss": peer_loss,
        } | self._more()

    def _more(self) -> dict[str, Any]:
        more = {other.setting: other.entry_of(OURS) for other in self.others}
        return more | ({"unsloth": self.unsloth.entry_of(PEERS)} if self.unsloth else {})

    def entry_of(self, names: tuple[str, ...]) -> dict[str, Any]:
        """What of `entry` another setting, or another peer, changes."""
        entry = self.entry()
        return {name: entry[name] for name in names}

    def rows(self) -> list["Result"]:
        """Of the table."""
        return [self, *self.others, *([self.unsloth] if self.unsloth else [])]

    def _figures(self, records: list[dict[str, float]]) -> Any:
        """(examples a second, peak memory, loss of the first measured step)."""
        if not records:
            return None, None, None
        seconds = median(record["seconds"] for record in records[1:])
        return (
            self.workload.examples / seconds,
            records[-1]["peak_gib"],
            round(records[1]["loss"], 6),
        )

    @property
    def name(self) -> str:
        """The workload's, and in which setting, for people."""
        return ", ".join(filter(None, (self.workload.name, self.setting.replace("_", ", ", 1))))

    @property
    def best_ratio(self) -> float | None:
        """Of each side's fastest step."""
        if not self.peer:
            return None
        return min(r["seconds"] for r in self.peer[1:]) / min(r["seconds"] for r in self.ours[1:])

    @property
    def matrix_rate_fraction(self) -> float:
        """Arithmetic the measured steps cannot do without, over what the machine's rate allows."""
        return matrix_rate_fraction([self])

    def differing_losses(self) -> list[str]:
        """A sentence for each pair of trainers whose losses are too far apart: ours and the peer's,
        and ours in another setting and in this. The warm-up step's counts too."""
        pairs = [
            (other.name, other.ready, other.ours, self.ready, self.ours) for other in self.others
        ]
        if self.peer_ready:
            pairs.append((self.name, self.ready, self.ours, self.peer_ready, self.peer))
        said = []
        for name, first, losses, second, others in pairs:
            found = largest_difference(losses, others)
            allowed = loss_tolerance(first["trainer"], second["trainer"])
            if found > allowed:
                said.append(
                    f"{name}: the losses differ by {found:.1e} of their size (at most "
                    f"{allowed:.0e} expected): not the same training."
                )
        return said + (self.unsloth.differing_losses() if self.unsloth else [])


def largest_difference(records: list[dict[str, float]], others: list[dict[str, float]]) -> float:
    """Relative, of two trainers' losses of the same steps."""
    return max(abs(a["loss"] / b["loss"] - 1) for a, b in zip(records, others, strict=True))


def loss_tolerance(*trainers: str) -> float:
    """By the coarsest format among theirs; eight bits are as coarse as bfloat16."""
    is_fine = all(name.endswith(" fp32") and "q8_0" not in name for name in trainers)
    return LOSS_TOLERANCE["fp32" if is_fine else "bf16"]


def matrix_rate_fraction(results: list[Result]) -> float:
    """work.step_flops of all measured steps / their seconds / work.matrix_flops_per_second."""
    records = [(r, result) for result in results for r in result.ours[1:]]
    needed = sum(r["flops"] / result.ready["matrix_flops_per_second"] for r, result in records)
    return needed / sum(r["seconds"] for r, _ in records)


def summarise(results: list[Result], device: str) -> dict[str, Any]:
    """What bench/results/latest.json holds."""
    return {
        "machine": machine(device),
        "workloads": {result.workload.name: result.entry() for result in results},
        "matrix_rate_fraction": _rounded(matrix_rate_fraction(results)),
    }


def machine(device: str) -> str:
    """Processor, cores and memory, and the GPU's name where it computes."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8").splitlines()
        named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = named[0] if named else name
    gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    text = f"{name}, {os.cpu_count()} cores, {gib:.0f} GiB"
    if device == "cuda":
        import torch

        text = f"{torch.cuda.get_device_name()}; {text}"
    return text


def table(results: list[Result], device: str) -> Table:
    shown = Table(title=machine(device), caption=", ".join(trainers(results[0])))
    for name in ("workload", "examples/s", "peer", "ratio (of best steps)", "peak GiB", "peer"):
        shown.add_column(name, justify="left" if name == "workload" else "right")
    for name in ("ratio", "loss", "peer", "of matrix rate"):
        shown.add_column(name, justify="right")
    for result in [each for one in results for each in one.rows()]:
        entry = result.entry()
        best = f" ({result.best_ratio:.1f})" if result.best_ratio else ""
        shown.add_row(
            result.name,
            _shown(entry["examples_per_second"], "{:.3f}"),
            _shown(entry["peer_examples_per_second"], "{:.3f}"),
            _shown(entry["ratio"], "{:.1f}") + best,
            _shown(entry["peak_gib"], "{:.2f}"),
            _shown(entry["peer_peak_gib"], "{:.2f}"),
            _shown(entry["memory_ratio"], "{:.2f}"),
            _shown(entry["loss"], "{:.5f}"),
            _shown(entry["peer_loss"], "{:.5f}"),
            f"{result.matrix_rate_fraction:.0%}",
        )
        if result.workload is RECIPE:
            gb = entry["peak_gib"] * 2**30 / 1e9
            shown.caption = f"recipe: {gb:.2f} GB, against the {SEED_PEAK_GB} GB promised of it"
    return shown


def trainers(result: Result) -> list[str]:
    """All sides and the number format of each."""
    second = result.unsloth and result.unsloth.peer_ready
    return [ready["trainer"] for ready in (result.ready, result.peer_ready, second) if ready]


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
