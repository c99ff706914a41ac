"""`diagnose`: every rule over a log, the cause kept and its consequences dropped."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tooltune.diagnose import rules_loss, rules_optimizer, rules_run, rules_validation
from tooltune.diagnose.finding import INFORMATIONAL, Finding
from tooltune.diagnose.log import TrainingLog
from tooltune.diagnose.readers import read_log

Rule = Callable[[TrainingLog], Finding | None]

RULES: tuple[Rule, ...] = (
    rules_loss.check_nan,
    rules_loss.check_constant_loss,
    rules_loss.check_initial_loss,
    rules_loss.check_not_learning,
    rules_loss.check_divergence,
    rules_loss.check_spike,
    rules_validation.check_overfitting,
    rules_validation.check_generalization_gap,
    rules_optimizer.check_lr_too_high,
    rules_optimizer.check_lr_too_low,
    rules_optimizer.check_grad_explosion,
    rules_optimizer.check_grad_vanishing,
    rules_optimizer.check_no_warmup,
    rules_optimizer.check_schedule_flat,
    rules_run.check_throughput_decay,
    rules_run.check_missing_steps,
    rules_loss.check_plateau,
)

# A cause explains its consequences: they are not reported beside it.
_EXPLAINS: dict[str, frozenset[str]] = {
    "nan": frozenset({"divergence", "spike", "grad-explosion", "plateau", "not-learning"}),
    "constant-loss": frozenset(
        {
            "not-learning",
            "plateau",
            "grad-vanishing",
            "initial-loss-low",
            "divergence",
            "spike",
            "lr-too-high",
        }
    ),
    "grad-vanishing": frozenset({"plateau", "not-learning"}),
    "not-learning": frozenset({"plateau", "overfitting", "generalization-gap"}),
    "lr-too-high": frozenset({"divergence", "spike", "not-learning", "grad-explosion", "plateau"}),
    "lr-too-low": frozenset({"plateau"}),
    "grad-explosion": frozenset({"spike"}),
    "divergence": frozenset({"spike", "plateau", "not-learning", "overfitting"}),
    "overfitting": frozenset({"generalization-gap"}),
    "spike": frozenset({"plateau"}),
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the rules say of one log."""

    log: TrainingLog
    findings: tuple[Finding, ...]
    best_checkpoint_step: int | None

    @property
    def healthy(self) -> bool:
        return all(finding.code in INFORMATIONAL for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        return {
            "healthy": self.healthy,
            "findings": [finding.to_dict() for finding in self.findings],
            "best_checkpoint_step": self.best_checkpoint_step,
            "steps_read": len(self.log.loss),
            "last_step": self.log.last_step,
            "last_third": rules_loss.last_third(self.log),
            "notes": list(self.log.notes),
        }


def diagnose(path: Path) -> Diagnosis:
    """Read a log file or run folder and examine it. Raises DataError where there is no loss."""
    return examine(read_log(path))


# Rules that compare the end with the beginning wait for this share of a run whose length is known.
_WAITS: dict[Rule, float] = {
    rules_loss.check_not_learning: 0.5,
    rules_loss.check_plateau: 0.95,
    rules_optimizer.check_lr_too_low: 0.95,
    rules_optimizer.check_schedule_flat: 0.95,
}


def examine(log: TrainingLog) -> Diagnosis:
    """Every rule whose time has come; the findings that no other finding explains."""
    done = log.last_step / log.total_steps if log.total_steps else 1.0
    asked = [rule for rule in RULES if done >= _WAITS.get(rule, 0.0)]
    found = [finding for rule in asked if (finding := rule(log)) is not None]
    codes = {finding.code for finding in found}
    explained: set[str] = set().union(*(_EXPLAINS.get(code, frozenset()) for code in codes))
    kept = tuple(finding for finding in found if finding.code not in explained)
    return Diagnosis(log, kept, _checkpoint_to_keep(log, kept))


def _checkpoint_to_keep(log: TrainingLog, findings: tuple[Finding, ...]) -> int | None:
    """By validation loss; without one, the last step before anything went wrong."""
    best = rules_validation.best_step(log)
    if best is not None:
        return best
    damaging = {"nan", "divergence", "spike", "lr-too-high", "grad-explosion"}
    onset = min((f.first_step for f in findings if f.code in damaging), default=None)
    finite = log.loss.finite().steps
    before = finite if onset is None else finite[finite < onset]
    saved = [step for step in log.checkpoints if step in before]
    before = np.array(saved) if saved else before
    return int(before[-1]) if len(before) else None
