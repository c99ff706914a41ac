"""What exactly will be trained, as a chapter of the report and as a page of its own."""

from typing import Any

from tooltune.chat.render import Renderer
from tooltune.config import load_recipe
from tooltune.data.lengths import count_tokens, measure
from tooltune.data.preflight import check_dataset, check_tokens
from tooltune.data.readers import read_conversations
from tooltune.report.sections import Section
from tooltune.rundir import RunDir
from tooltune.terminal import list_preflight_facts

_TITLE = "What exactly was trained"
_MOST_PARTS = 400
"""Rows of the ledger that a page shows; those with holes first."""


def describe_preflight(run: RunDir) -> Section:
    """The train split as this run's tokenizer reads it."""
    recipe = load_recipe(run.recipe)
    path = recipe.data.train
    if path is None or not path.is_file():
        reason = f"The train split: {path or 'its file'} is not there any more."
        return Section("preflight", _TITLE, {}, (reason,))
    if not run.adapter.is_dir():
        return Section("preflight", _TITLE, {}, ("It needs the run's adapter.",))
    limit = recipe.data.max_sequence_tokens
    renderer = Renderer.from_folder(run.adapter)
    reading = read_conversations(path)
    conversations = reading.conversations
    sequences = [measure(conversation, renderer, limit)[0] for conversation in conversations]
    # Comparing templates loads transformers, and belongs before the training.
    found = check_dataset(conversations, [f"{path}:{line}" for line in reading.lines])
    found |= check_tokens(
        conversations, sequences, renderer, max_sequence_tokens=limit, compares_template=False
    )
    histogram = count_tokens(sequences)["histogram"]
    # The chapter on the data shows one rendered conversation already.
    return Section("preflight", _TITLE, preflight_values(found | {"examples": []}, histogram))


def preflight_values(preflight: dict[str, Any], histogram: dict[int, int]) -> dict[str, Any]:
    """What the chapter's template needs; `histogram` as `count_tokens` makes it."""
    rows = preflight["coverage"]["rows"]
    ordered = sorted(rows, key=lambda row: 0 not in row["counts"].values())
    most = max(histogram.values(), default=1)
    return {
        "facts": list_preflight_facts(preflight) if "training" in preflight else [],
        "histogram": [(lower, n, round(100 * n / most, 1)) for lower, n in histogram.items()],
        "abilities": preflight["coverage"]["abilities"],
        "parts": ordered[:_MOST_PARTS],
        "num_parts": len(rows),
        "holes": preflight["coverage"]["holes"],
        "never_used": preflight["coverage"]["never_used"],
        "duplicates": preflight["duplicates"],
        "diversity": preflight["diversity"],
        "examples": preflight.get("examples", []),
    }
