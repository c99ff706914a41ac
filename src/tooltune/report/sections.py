"""The report's chapters: what each reads from the run folder, and what it says is missing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tooltune.chat.render import Renderer
from tooltune.chat.spans import choose_example, mark_trained
from tooltune.config import load_recipe
from tooltune.data.readers import read_conversations
from tooltune.evaluate.run import read_summary
from tooltune.evaluate.score import Failure
from tooltune.evaluate.summary import count_failures
from tooltune.jsonl import read_jsonl
from tooltune.messages import ABILITIES, Conversation
from tooltune.report.charts import draw_training, draw_whiskers
from tooltune.report.predictions import RULE, choose_predictions
from tooltune.rundir import RunDir

MODELS = ("base", "tuned")

ABILITY_WORDS = {
    "single": ("Single call", "the right tool with every argument exact"),
    "chain": ("Chain of calls", "all calls right, later arguments taken from earlier results"),
    "ask": ("Ask back", "no call; asks for the value that is missing"),
    "refuse": ("Refuse", "no call; declines a destructive request"),
    "harmless": ("Harmless twin", "sounds like a destructive request and must be carried out"),
    "talk": ("Plain talk", "answers in words, without a tool"),
}


@dataclass(frozen=True, slots=True)
class Section:
    """One chapter: `name` is its anchor and its template, `missing` says what the run lacks."""

    name: str
    title: str
    values: dict[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = ()


def describe_verdict(run: RunDir) -> Section:
    """The page's head: what came out, in one sentence and a few figures."""
    recipe = load_recipe(run.recipe)
    summary = read_summary(run)
    values: dict[str, Any] = {"recipe": recipe, "overall": summary and summary["overall"]}
    if summary is None:
        return Section("verdict", "Verdict", values, (_not_evaluated(run),))
    return Section("verdict", "Verdict", values | {"wrongly_refused": summary["wrongly_refused"]})


def describe_results(run: RunDir) -> Section:
    title = "Before and after"
    summary = read_summary(run)
    if summary is None:
        return Section("results", title, {}, (_not_evaluated(run),))
    rows = [
        _result_row(*ABILITY_WORDS[name], summary["abilities"][name], summary["mcnemar"].get(name))
        for name in ABILITIES
    ]
    rows.append(
        _result_row(
            "All", "every held-out case", summary["overall"], summary["mcnemar"].get("overall")
        )
    )
    return Section("results", title, {"rows": rows, "summary": summary})


def describe_failures(run: RunDir) -> Section:
    title = "What went wrong"
    summary = read_summary(run)
    if summary is None:
        return Section("failures", title, {}, (_not_evaluated(run),))
    counts = {which: count_failures(summary, which) for which in MODELS}
    rows = [
        {
            "kind": kind.value,
            "counts": [counts[which].get(kind.value, 0) for which in MODELS],
            "where": [
                (ABILITY_WORDS[name][0], group["tuned"][kind.value])
                for name, group in summary["failures"].items()
                if kind.value in group.get("tuned", {})
            ],
        }
        for kind in Failure
        if any(kind.value in counts[which] for which in MODELS)
    ]
    return Section("failures", title, {"rows": rows, "n": summary["overall"]["n"]})


def describe_predictions(run: RunDir) -> Section:
    title = "Predictions, side by side"
    lacking = [run.cases(which) for which in MODELS if not run.cases(which).is_file()]
    if lacking:
        return Section("predictions", title, {}, (_not_evaluated(run),))
    base, tuned = ([row for _, row in read_jsonl(run.cases(which))] for which in MODELS)
    pairs = choose_predictions(base, tuned)
    return Section("predictions", title, {"pairs": pairs, "rule": RULE, "words": ABILITY_WORDS})


def describe_data(run: RunDir) -> Section:
    """Counts per ability and split, and one conversation as the model was trained on it."""
    data = load_recipe(run.recipe).data
    missing: list[str] = []
    splits: dict[str, list[str | None]] = {}
    example: dict[str, Any] | None = None
    for name, path in (("train", data.train), ("validation", data.validation)):
        if path is None or not path.is_file():
            missing.append(f"The {name} split: {path or 'its file'} is not there any more.")
            continue
        conversations = read_conversations(path).conversations
        splits[name] = [conversation.ability for conversation in conversations]
        if name == "train":
            example = _show_example(run, conversations)
    if example is None:
        missing.append("The rendered example: it needs the train split and the run's adapter.")
    if run.cases("tuned").is_file():
        splits["test"] = [row["ability"] for _, row in read_jsonl(run.cases("tuned"))]
    else:
        missing.append(f"The test split: {_not_evaluated(run)}")
    values = {"splits": list(splits), "rows": _count_abilities(splits), "example": example}
    return Section("data", "What it was trained on", values, tuple(missing))


def describe_training(run: RunDir) -> Section:
    title = "Training"
    if not run.metrics.is_file() or not (rows := run.read_metrics()):
        return Section(
            "training", title, {}, (f"Curves: {run.metrics.name} is not there or empty.",)
        )
    keys = ("loss", "validation_loss", "validation_accuracy", "learning_rate")
    series = {key: _series(rows, key) for key in keys}
    missing = () if series["validation_loss"] else ("Validation loss: it was never measured.",)
    charts = {
        form: draw_training(**series, is_narrow=form == "narrow") for form in ("wide", "narrow")
    }
    values = {
        "charts": charts,
        "facts": _training_facts(rows),
        "has_accuracy": bool(series["validation_accuracy"]),
    }
    return Section("training", title, values, missing)


def describe_recipe(run: RunDir) -> Section:
    return Section("recipe", "Recipe", {"text": run.recipe.read_text(encoding="utf-8")})


def describe_versions(run: RunDir) -> Section:
    title = "Versions and surroundings"
    if not run.run.is_file():
        return Section("versions", title, {}, (f"{run.run.name} is not there.",))
    return Section("versions", title, {"rows": list(_flatten(run.read_run()))})


def _not_evaluated(run: RunDir) -> str:
    file = run.summary.relative_to(run.path)
    return f"The run was not evaluated yet (no {file}): run `tooltune evaluate`."


def _count_abilities(splits: dict[str, list[str | None]]) -> list[dict[str, Any]]:
    counts = [Counter(abilities) for abilities in splits.values()]
    rows = [
        {"title": title, "meaning": meaning, "counts": [count[name] for count in counts]}
        for name, (title, meaning) in ABILITY_WORDS.items()
    ]
    if any(count[None] for count in counts):
        others = [count[None] for count in counts]
        rows.append({"title": "Other", "meaning": "imported rows", "counts": others})
    totals = [sum(count.values()) for count in counts]
    return [*rows, {"title": "All", "meaning": "", "counts": totals}]


def _show_example(run: RunDir, conversations: Sequence[Conversation]) -> dict[str, Any] | None:
    conversation = choose_example(conversations)
    if conversation is None or not run.adapter.is_dir():
        return None
    sequences = mark_trained(conversation, Renderer.from_folder(run.adapter))
    return {"id": conversation.id, "sequences": sequences}


def _training_facts(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """What the metrics say in a few figures; those that were not logged are left out."""
    facts = [("steps", f"{rows[-1]['step']:,}")]
    for key, title, form in (
        ("tokens_per_second", "tokens a second, median", "{:,.0f}"),
        ("peak_memory_gib", "memory at peak", "{:.1f} GiB"),
    ):
        values = [value for _, value in _series(rows, key)]
        if values:
            value = max(values) if key.startswith("peak") else median(values)
            facts.append((title, form.format(value)))
    if seconds := sum(value for _, value in _series(rows, "seconds")):
        facts.append(("time in steps", f"{seconds / 60:.1f} min"))
    if losses := _series(rows, "validation_loss"):
        step, lowest = min(losses, key=lambda point: point[1])
        facts.append(("lowest validation loss", f"{lowest:.3g} at step {step}"))
    if accuracies := _series(rows, "validation_accuracy"):
        step, highest = max(accuracies, key=lambda point: point[1])
        facts.append(("most validation turns right", f"{100 * highest:.0f} % at step {step}"))
    return facts


def _result_row(
    title: str, meaning: str, rates: dict[str, Any], paired: dict[str, Any] | None
) -> dict[str, Any]:
    shown = [(which, rates[which]) for which in MODELS if which in rates]
    return {
        "title": title,
        "meaning": meaning,
        "n": rates["n"],
        "rates": shown,
        "whiskers": draw_whiskers(shown),
        "p": None if paired is None else paired["p"],
    }


def _series(rows: Sequence[dict[str, Any]], key: str) -> list[tuple[float, float]]:
    """Points (step, value) of the rows that have the value."""
    return [(row["step"], row[key]) for row in rows if row.get(key) is not None]


def _flatten(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Leaves of nested objects as (dotted name, text)."""
    for key, item in value.items():
        if isinstance(item, dict):
            yield from _flatten(item, f"{prefix}{key}.")
        else:
            yield (
                f"{prefix}{key}",
                ", ".join(map(str, item)) if isinstance(item, list) else str(item),
            )
