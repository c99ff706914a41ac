"""A diagnosis as text: what was seen, a small chart with the place marked, cause and change."""

import itertools
import textwrap

import numpy as np

from tooltune.diagnose.doctor import Diagnosis
from tooltune.diagnose.finding import INFORMATIONAL, Finding
from tooltune.diagnose.log import Series, TrainingLog
from tooltune.diagnose.rules_loss import FEWEST_STEPS, last_third

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 60
SHOWN_IN = {
    "overfitting": "validation",
    "generalization-gap": "validation",
    "lr-too-low": "learning_rate",
    "no-warmup": "learning_rate",
    "schedule-flat": "learning_rate",
    "grad-explosion": "grad_norm",
    "grad-vanishing": "grad_norm",
    "throughput-decay": "throughput",
}
"""Code -> the column in which a finding shows; the loss for all others."""


def to_text(diagnosis: Diagnosis) -> str:
    log = diagnosis.log
    lines = [*_head(log), *(f"note: {note}" for note in log.notes)]
    for finding in diagnosis.findings:
        lines += ["", *describe_finding(log, finding)]
    if not diagnosis.findings or diagnosis.healthy:
        few = "" if len(log.loss) >= FEWEST_STEPS else f" But {len(log.loss)} losses show little."
        lines += ["", f"Healthy: nothing needs action.{few}"]
    if diagnosis.best_checkpoint_step is not None:
        by = "lowest validation loss" if len(log.validation) else "last step before any damage"
        by = "best validation" if len(log.skill) else by
        lines.append(f"Checkpoint to keep: step {diagnosis.best_checkpoint_step} ({by}).")
    return "\n".join(lines)


def describe_finding(log: TrainingLog, finding: Finding) -> list[str]:
    """Code and steps, chart, and one paragraph."""
    sure = "" if finding.confidence == 1 else f", confidence {finding.confidence:.4f}"
    kind = " (for information)" if finding.code in INFORMATIONAL else ""
    column = SHOWN_IN.get(finding.code, "loss")
    series: Series = getattr(log, column)
    paragraph = f"{finding.evidence[0].upper()}{finding.evidence[1:]}. {finding.cause} "
    return [
        f"{finding.code}{kind}: steps {finding.first_step} to {finding.last_step}{sure}",
        *(f"  {line}" for line in chart(series, (finding.first_step, finding.last_step))),
        *textwrap.wrap(paragraph + finding.change, 96, initial_indent="  ", subsequent_indent="  "),
    ]


def chart(series: Series, marked: tuple[int, int] | None = None) -> list[str]:
    """One line of bars, medians of equal shares of the log; below it the marked steps."""
    shown = series.finite()
    if len(shown) < 2:
        return []
    edges = np.linspace(0, len(shown), min(_WIDTH, len(shown)) + 1).astype(int)
    parts = [slice(a, b) for a, b in itertools.pairwise(edges)]
    heights = np.array([np.median(shown.values[part]) for part in parts])
    spread = float(heights.max() - heights.min())
    places = np.zeros(len(heights), dtype=int)
    if spread > 0:
        places = np.round((heights - heights.min()) / spread * (len(_BARS) - 1)).astype(int)
    lines = ["".join(_BARS[place] for place in places)]
    lines[0] += f"  {heights.min():.3g} to {heights.max():.3g}"
    if marked is not None:
        inside = [
            shown.steps[part][-1] >= marked[0] and shown.steps[part][0] <= marked[1]
            for part in parts
        ]
        if any(inside):  # not where the marked steps have no finite value
            lines.append("".join("^" if flag else " " for flag in inside).rstrip())
    return lines


def _head(log: TrainingLog) -> list[str]:
    of = f" of {log.total_steps}" if log.total_steps else ""
    loss = log.loss.finite()
    lines = [f"{log.where}: {len(log.loss)} losses, last step {log.last_step}{of}"]
    if len(loss):
        lines += ["", *(f"  {line}" for line in chart(loss))]
        base = f", base model {log.base_loss:.4g}" if log.base_loss is not None else ""
        lines.append(f"  loss {loss.values[0]:.4g} to {loss.values[-1]:.4g}{base}")
    if len(log.validation):
        values = log.validation.values
        lines.append(f"  validation loss {values[0]:.4g} to {values[-1]:.4g}")
    lines.append(f"  {last_third(log)}")
    return lines
