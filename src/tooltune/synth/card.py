"""The card beside a recipe's dataset: what is in it, where it comes from, what was checked."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tooltune.jsonl import write_text
from tooltune.messages import ABILITIES, Conversation
from tooltune.servers.known import KNOWN
from tooltune.worlds.masks import MASKS
from tooltune.worlds.pools import Split

if TYPE_CHECKING:
    from tooltune.synth.recipe import RecipeReport

_CHECKS = (
    ("schema", "every call's arguments fit the tool's JSON Schema"),
    ("grounded", "every value in them comes from the request, an earlier result, the system "
     "prompt, or the schema's own defaults and choices"),
    ("replay", "a second sandbox with servers of its own gave the same results and the same state"),
    ("minimal", "without any one step, or any one optional argument, the outcome differs"),
    ("twins", "asked-back and refused requests have a complete, harmless twin beside them"),
    ("split", "no phrasing family and no value pool is in two splits; one server and three "
     "invented catalogs are in the test only"),
)  # fmt: skip


def write_card(
    path: Path, rows: dict[Split, list[Conversation]], report: "RecipeReport", facts: dict[str, Any]
) -> None:
    """Markdown, the same for the same rows."""
    write_text(path, "\n".join([
        "# mcp-agent",
        "",
        f"Conversations written by executing calls on real tool servers first (seed "
        f"{facts['seed']}, scale {facts['scale']:g}). Made by tooltune; no model wrote any of it.",
        "",
        *_table(["ability", *rows],
                [(name, *(report.rows[split][name] for split in rows)) for name in ABILITIES]
                + [("all", *map(len, rows.values()))]),
        *_table(["kind of world", *rows],
                [(kind, *(report.kinds[split].get(kind, 0) for split in rows))
                 for kind in sorted({kind for one in report.kinds.values() for kind in one})]),
        *_table(["server", "package", "version", "licence", "conversations"],
                [(one.name, one.package, one.version or "of this checkout", one.licence,
                  report.servers.get(name, 0)) for name, one in KNOWN.items()]),
        *_forms(rows),
        f"{report.programs} program families, the largest {report.largest_program_fraction:.2%} "
        f"of all rows; {report.catalogs} catalogs.",
        "",
        "## Checks every row with calls has passed",
        "",
        *(f"- {name}: {text}" for name, text in _CHECKS),
        "",
        "Masked, because no two runs agree on it: " + ", ".join(rule.name for rule in MASKS) + ".",
        "",
        "Thrown away, by reason (attempts):",
        "",
        *(f"- {reason}: {count}" for reason, count in sorted(report.rejected.items())),
        *(f"- left out: {reason}" for reason in report.left_out.values()),
        "",
    ]))  # fmt: skip


def _forms(rows: dict[Split, list[Conversation]]) -> list[str]:
    counts = {split: Counter(row.meta.get("form", "plain") for row in chosen)
              for split, chosen in rows.items()}  # fmt: skip
    forms = sorted({form for one in counts.values() for form in one})
    return _table(["form", *rows], [(form, *(counts[split][form] for split in rows))
                                    for form in forms])  # fmt: skip


def _table(head: list[Any], lines: list[tuple[Any, ...]]) -> list[str]:
    cells = [head, ["---"] * len(head), *lines]
    return [*("| " + " | ".join(map(str, line)) + " |" for line in cells), ""]
