"""Precision and recall of `diagnose` on the simulated logs: `python -m tests.data.score_diagnosis`.

Seeds from 0 on are the half that thresholds were set on, seeds from 20,000 on the half that is
reported (`--half setting` shows the other). Prints the table of docs/diagnose.md.
"""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.data.simulate_logs import SICK, Run, healthy, thinned

from tooltune.diagnose.columns import Part, Rows, build_log
from tooltune.diagnose.doctor import Diagnosis, diagnose, examine
from tooltune.diagnose.finding import CODES, INFORMATIONAL

OFFSETS = {"setting": 0, "report": 20_000}


@dataclass
class Score:
    logs: int
    healthy_logs: int
    alarmed_healthy: int
    caught: Counter[str]
    missed: Counter[str]
    false: Counter[str]
    errors: list[str]

    def precision(self, code: str) -> float | None:
        reported = self.caught[code] + self.false[code]
        return self.caught[code] / reported if reported else None

    def recall(self, code: str) -> float | None:
        ill = self.caught[code] + self.missed[code]
        return self.caught[code] / ill if ill else None


def diagnose_rows(rows: list[dict[str, object]]) -> Diagnosis:
    return examine(build_log(Rows("log", [Part(rows, range(1, len(rows) + 1))])))


def labelled_runs(half: str, *, per_code: int, num_healthy: int) -> Iterator[tuple[str, Run]]:
    first = OFFSETS[half]
    for seed in range(first, first + num_healthy):
        yield "healthy", healthy(seed)
    for code, make in SICK.items():
        for seed in range(first, first + per_code):
            yield code, make(seed)


def score(half: str, *, per_code: int, num_healthy: int) -> Score:
    result = Score(0, 0, 0, Counter(), Counter(), Counter(), [])
    for name, run in labelled_runs(half, per_code=per_code, num_healthy=num_healthy):
        diagnosis = diagnose_rows(thinned(run) if name == "healthy" else run.rows())
        found = {finding.code for finding in diagnosis.findings}
        result.logs += 1
        if name == "healthy":
            result.healthy_logs += 1
            result.alarmed_healthy += not diagnosis.healthy
        # A plateau is neither right nor wrong on a run that was not made to have or to lack one.
        ignored = run.allowed | (INFORMATIONAL if name != "lr-too-low" else frozenset())
        result.caught.update(found & run.expected)
        result.missed.update(run.expected - found)
        wrong = found - run.expected - ignored
        result.false.update(wrong)
        for code in sorted(wrong | (run.expected - found)):
            sign = "false" if code in wrong else "missed"
            result.errors.append(f"{name} n={run.count}: {sign} {code}, found {sorted(found)}")
    return result


def to_table(result: Score) -> str:
    lines = [
        "| finding | ill logs | caught | false alarms | precision | recall |",
        "|---|" + 5 * "---:|",
    ]
    for code in CODES:
        precision, recall = result.precision(code), result.recall(code)
        ill = result.caught[code] + result.missed[code]
        lines.append(
            f"| `{code}` | {ill} | {result.caught[code]} | {result.false[code]} "
            f"| {_share(precision)} | {_share(recall)} |"
        )
    lines.append("")
    lines.append(
        f"{result.logs} logs; healthy ones with any alarm: {result.alarmed_healthy} "
        f"of {result.healthy_logs}."
    )
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def to_real_table(folder: Path) -> str:
    """Logs of real runs made sick on purpose; any one of the expected findings is right.

    Runs whose name ends in -1 are the half that rules may be changed for.
    """
    lines = ["| run | made ill as | found | right |", "|---|---|---|---|"]
    labels: dict[str, list[str]] = json.loads((folder / "labels.json").read_text())
    right, false, alarmed = Counter[str](), Counter[str](), Counter[str]()
    for name, expected in labels.items():
        half = "setting" if name.endswith("-1") else "report"
        found = {f.code for f in diagnose(folder / f"{name}.jsonl").findings} - INFORMATIONAL
        is_right = bool(found & set(expected)) if expected else not found
        right[half] += is_right
        false.update(found - set(expected) if expected else ())
        alarmed[half] += bool(found and not expected)
        words = (" or ".join(expected) or "healthy", ", ".join(sorted(found)) or "nothing")
        lines.append(f"| {name} | {words[0]} | {words[1]} | {'yes' if is_right else 'no'} |")
    counts = Counter("setting" if name.endswith("-1") else "report" for name in labels)
    told = ", ".join(f"{right[half]} of {counts[half]} in the {half} half" for half in OFFSETS)
    lines += ["", f"Right: {told}. Healthy runs with any alarm: {sum(alarmed.values())}."]
    lines.append(f"Findings beside the expected ones on ill runs: {dict(false) or 'none'}.")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=list(OFFSETS), default="report")
    parser.add_argument("--per-code", type=int, default=20)
    parser.add_argument("--healthy", type=int, default=100)
    parser.add_argument("--errors", action="store_true")
    parser.add_argument("--real", type=Path, help="folder that make_sick_runs wrote")
    options = parser.parse_args()
    if options.real:
        print(to_real_table(options.real))
        return
    result = score(options.half, per_code=options.per_code, num_healthy=options.healthy)
    print(to_table(result))
    if options.errors:
        print("\n".join(result.errors))


if __name__ == "__main__":
    main()
