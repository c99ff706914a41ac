"""What a rule reports, and for each code its likely cause and what to change."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """`confidence` is 1 minus the p-value of the test behind it; 1.0 for facts."""

    code: str
    first_step: int
    last_step: int
    confidence: float
    evidence: str
    cause: str
    change: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


INFORMATIONAL = frozenset({"plateau"})
"""Findings that need no action and leave a run healthy."""

_TEXTS: dict[str, tuple[str, str]] = {
    "overfitting": (
        "The model has begun to memorise the training examples.",
        "Keep the checkpoint named as best; train fewer epochs, or add different data.",
    ),
    "not-learning": (
        "Nothing useful is being learned: data or chat format do not match the model, labels are "
        "wrong, or the adapter receives no gradient.",
        "Look at one rendered example with its mask, check that the adapter is attached and "
        "trainable, then the learning rate.",
    ),
    "plateau": (
        "The model has learned what this data and this learning rate can teach it.",
        "Nothing. More steps of the same will change little.",
    ),
    "generalization-gap": (
        "Training loss is far below validation loss and the distance has grown: the training "
        "examples are too few or too alike, or validation is of another kind.",
        "Remove near-duplicates, compare how both files were made, add different data.",
    ),
    "initial-loss-high": (
        "The model does not recognise the text: wrong chat template, tokenizer or mask, resized "
        "vocabulary, or damaged weights.",
        "Render one example and let the base model continue it; compare the template's tokens.",
    ),
    "initial-loss-low": (
        "The answer is already known: it stands in the prompt, the mask covers only boilerplate, "
        "or the run started from a trained adapter.",
        "Look at which tokens are supervised, and where the adapter came from.",
    ),
    "nan": (
        "Numbers overflowed: float16 without loss scaling, a learning rate too high, or a row "
        "without a supervised token.",
        "Go back to the last finite checkpoint; use bfloat16 or float32, lower the learning rate.",
    ),
    "spike": (
        "One update was damaged: an unusual batch met a large step.",
        "Look at the examples of that step; clip gradients harder or lengthen the warmup.",
    ),
    "divergence": (
        "Training was going well and then came apart: the learning rate is above what these "
        "weights still bear.",
        "Go back to the checkpoint before it; halve the learning rate.",
    ),
    "lr-too-high": (
        "Updates overshoot: the learning rate is too high for this model.",
        "Divide the learning rate by three to ten and start again.",
    ),
    "lr-too-low": (
        "The loss still falls as fast per update as at the start: the learning rate is too low, "
        "so most of the run is spent getting going.",
        "Multiply the learning rate by three to ten; adapters take about ten times the rate of "
        "full fine-tuning.",
    ),
    "grad-explosion": (
        "Gradients grow without bound for several updates in a row.",
        "Clip gradients (train.max_grad_norm), lower the learning rate, look for odd examples.",
    ),
    "grad-vanishing": (
        "No gradient reaches the trained weights: a frozen or detached adapter, nothing "
        "supervised, or float16 underflow.",
        "Check that adapter parameters require gradients and that examples have supervised tokens.",
    ),
    "no-warmup": (
        "The first updates are made at full learning rate, before the optimizer's averages mean "
        "anything.",
        "Set a warmup of 3 to 10 % of the steps (train.warmup_fraction).",
    ),
    "schedule-flat": (
        "The learning rate never decays, so the last weights are as noisy as the first.",
        "Use a cosine or linear decay to zero.",
    ),
    "constant-loss": (
        "The loss does not depend on the data: labels are all masked, or one value is logged "
        "again and again.",
        "Count the supervised tokens of a few examples; check the logging code.",
    ),
    "throughput-decay": (
        "The machine slows down: heat, memory growth or swapping, a slower data source, or "
        "another job.",
        "Watch memory and clock rate over time; compare the longest batches early and late.",
    ),
    "missing-steps": (
        "The log has holes or repeats: a resume from an older checkpoint, or two runs in one file.",
        "Resume from the newest checkpoint, and give each run its own log.",
    ),
}
CODES = tuple(_TEXTS)


def make_finding(
    code: str, steps: tuple[int, int], evidence: str, *, confidence: float = 1.0
) -> Finding:
    cause, change = _TEXTS[code]
    confidence = round(min(1.0, max(0.0, confidence)), 6)
    return Finding(code, steps[0], steps[1], confidence, evidence, cause, change)
