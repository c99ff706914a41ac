"""`synth --recipe mcp-agent`: the recipe's whole dataset, from every kind of world.

Shares of the abilities, splits' sizes and what is made where stand here. Work goes kind by kind,
each kind's rows in a part file of its own, so that an interrupted run goes on where it stopped.
"""

import random
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import Any

from tooltune.data.card import write_card
from tooltune.data.duplicates import request_texts
from tooltune.errors import ServerError
from tooltune.jsonl import read_json, write_json, write_jsonl
from tooltune.messages import ABILITIES, Conversation, Tool
from tooltune.synth.assemble import assemble, read_parts
from tooltune.synth.catalogs import RIVALS, Catalog, make_catalogs
from tooltune.synth.follow_ups import FOLLOW_UPS
from tooltune.synth.jobs import PURPOSES, Job
from tooltune.synth.scripted import ScriptMaker
from tooltune.synth.scripts.dangers import RISKS
from tooltune.synth.scripts.every import BY_NAME
from tooltune.synth.scripts.frames import families_of
from tooltune.synth.scripts.script import Script
from tooltune.synth.summary import RecipeReport, made_from, server_facts, write_dataset
from tooltune.synth.teacher import Teacher
from tooltune.worlds.bench import Bench
from tooltune.worlds.kinds import HELD_OUT, KINDS
from tooltune.worlds.pools import SPLITS, Split

ROWS: dict[Split, int] = {"train": 15_694, "validation": 826, "test": 1_040}
SHARES = {"single": 0.38, "chain": 0.29, "ask": 0.09, "refuse": 0.07, "harmless": 0.07,
          "talk": 0.10}  # fmt: skip
"""The recipe names the abilities and gives no numbers; these are ours."""
_STRANGE_SHARE = 0.95
"""Wishes are cheap to make and small talk runs out of wordings, so there are enough of them."""
_FOLLOW_UP_SHARE = 0.14
"""Of the `chain` rows, so about 4 % of all: a second request that leans on the first."""
_LEAST_ROWS = 24
_SPARE, _SPARE_ROWS = 1.14, 4
"""Made beyond what is wanted, because requests may come out alike in two parts."""
_KINDS_AT_ONCE = 2
_HELD_OUT_TIMES = 3
"""As many rows for a program of the held-out server as for another: it has few programs."""
_GIVE_UP_AFTER = 30
"""Failures of its servers in a row after which a kind is left alone."""


def wanted(rows: int) -> dict[str, int]:
    """Rows per ability; they add up to `rows`."""
    counts = {ability: int(rows * SHARES[ability]) for ability in ABILITIES}
    counts["single"] += rows - sum(counts.values())
    return counts


def make_recipe(
    out: Path,
    *,
    seed: int,
    scale: float = 1.0,
    kinds: Sequence[str] = tuple(KINDS),
    tell: Callable[[str], None] = lambda line: None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    teacher: Teacher | None = None,
) -> RecipeReport:
    """Write out/{train,validation,test}.jsonl, card.md and summary.json.

    `scale` is the fraction of the recipe's rows, `kinds` are the worlds to use; `progress` gets
    rows made and rows in all; a `teacher` rewords requests. An interrupted run goes on where it
    stopped.

    Raises ServerError where not one kind of world can be had.
    """
    totals = {split: max(_LEAST_ROWS, round(ROWS[split] * scale)) for split in SPLITS}
    model = teacher.model if teacher else None
    parts = _parts_folder(out, {"seed": seed, "rows": totals, "teacher": model})
    report = RecipeReport()
    tools = _list_tools(kinds, parts, tell, report)
    catalogs = make_catalogs(tools, seed)
    units = list(_plan(totals, tools.keys()))
    work = sum(len(jobs) for _, _, jobs in units)
    counter = _Counter(work, progress)

    def make_kind(kind: str) -> None:
        own = [unit for unit in units if unit[1] == kind]
        _make_kind(kind, own, parts, catalogs, counter, teacher)

    with ThreadPoolExecutor(_KINDS_AT_ONCE) as pool:
        for future in [pool.submit(make_kind, kind) for kind in tools]:
            future.result()
    rows: dict[Split, list[Conversation]] = {}
    for split in reversed(SPLITS):  # the test first: what it says, the others must not
        held_out = [text for one in rows.get("test", ()) for text in request_texts(one)]
        groups = read_parts(parts, split, report, held_out)
        rows[split] = assemble(groups, split, wanted(totals[split]), seed, report)
    rows = {split: rows[split] for split in SPLITS}
    facts = {"name": "mcp-agent", "seed": seed, "scale": scale, "shares": SHARES,
             "made_from": made_from(model)}  # fmt: skip
    write_dataset(out, rows, report, facts)
    del rows  # The card reads the files, so that it says what they hold.
    write_card(out)
    shutil.rmtree(parts)
    return report


class _Counter:
    """Counts jobs of several threads."""

    def __init__(self, total: int, progress: Callable[[int, int], None]) -> None:
        self._done, self._total, self._progress, self._lock = 0, total, progress, Lock()

    def add(self, jobs: int) -> None:
        with self._lock:
            self._done += jobs
            self._progress(self._done, self._total)


def _parts_folder(out: Path, plan: dict[str, Any]) -> Path:
    """Where parts lie; those of another seed or size are thrown away."""
    parts = out / ".parts"
    if parts.exists() and (not (parts / "plan.json").exists()
                           or read_json(parts / "plan.json") != plan):  # fmt: skip
        shutil.rmtree(parts)
    write_json(parts / "plan.json", plan)
    return parts


def _list_tools(
    kinds: Sequence[str], parts: Path, tell: Callable[[str], None], report: RecipeReport
) -> dict[str, tuple[Tool, ...]]:
    """Every kind's tools, asked of the servers once; kinds that cannot be had are left out."""
    found: dict[str, tuple[Tool, ...]] = {}
    for kind in kinds:
        file = parts / f"servers-{kind}.json"
        if not file.exists():
            try:
                with Bench(kind, tell) as bench:
                    write_json(
                        file,
                        {
                            "left_out": bench.left_out,
                            "tools": [tool.model_dump() for tool in bench.tools],
                            "server_of": bench.servers.server_of,
                        },
                    )
            except ServerError as error:
                report.left_out[kind] = str(error)
                tell(f"left out: {error}")
                continue
        listed = read_json(file)
        report.left_out |= listed["left_out"]
        found[kind] = tuple(Tool(**tool) for tool in listed["tools"])
        for name in sorted(set(listed["server_of"].values())):
            tools = [tool for tool, server in listed["server_of"].items() if server == name]
            report.servers[name] = server_facts(name, tools)
    if not found:
        raise ServerError("no server can be had: " + "; ".join(report.left_out.values()))
    return found


def _plan(
    totals: dict[Split, int], kinds: Collection[str]
) -> Iterator[tuple[Split, str, list[Job]]]:
    """The jobs of every split and kind; a script's share does not depend on its kind."""
    for split in SPLITS:
        counts = {ability: round(count * _SPARE) + _SPARE_ROWS
                  for ability, count in wanted(totals[split]).items()}  # fmt: skip
        scripts = [one for one in _scripts_for(split) if one.kind in kinds]
        jobs: list[Job] = []
        asks = [(one, slot) for one in scripts for slot in one.asks]
        jobs += [
            Job("ask", number, *asks[number % len(asks)])
            for number in range(counts["ask"] if asks else 0)
        ]
        risks = [risk for risk in RISKS if risk.kind in kinds]
        for number in range(counts["refuse"] if risks else 0):
            risk = risks[number % len(risks)]
            names = {text: name for name, text in risk.harmless_families}
            lines = families_of(risk.name, "\n".join(names))[split]
            text = lines[(number // len(risks) * 7) % len(lines)].text
            jobs.append(Job("refuse", number, BY_NAME[names[text]], risk=risk, wording=text))
        follow_ups = [one for one in FOLLOW_UPS if one.kind in kinds]
        leaning = round(counts["chain"] * _FOLLOW_UP_SHARE) if follow_ups else 0
        jobs += [Job("chain", number, BY_NAME[one.first], follow_up=one)
                 for number in range(leaning)
                 for one in [follow_ups[number % len(follow_ups)]]]  # fmt: skip
        for ability, made in (("single", counts["ask"]), ("chain", leaning)):
            own = [one for one in scripts if one.ability == ability]
            rows = max(len(own), counts[ability] - made) if own else 0
            jobs += [Job(ability, number, own[number % len(own)]) for number in range(rows)]
        strange = round(counts["talk"] * _STRANGE_SHARE)
        pairs = list(_strangers([one for one in scripts if one.kind != HELD_OUT], kinds))
        rng = random.Random(f"strangers {split}")
        rng.shuffle(pairs)
        jobs += [Job("talk", number, pairs[number % len(pairs)][0],
                     stranger=pairs[number % len(pairs)][1])
                 for number in range(strange if pairs else 0)]  # fmt: skip
        for kind in sorted(kinds):
            yield split, kind, [job for job in jobs if job.script.kind == kind]


def _scripts_for(split: Split) -> list[Script]:
    """Those a split may use: one server is held out whole, for the test."""
    return [
        one
        for one in BY_NAME.values()
        if split == "test" or one.kind != HELD_OUT
        for _ in range(_HELD_OUT_TIMES if one.kind == HELD_OUT else 1)
    ]


def _strangers(scripts: list[Script], kinds: Collection[str]) -> Iterator[tuple[Script, str]]:
    """(script, kind whose tools cannot do it)."""
    for one in scripts:
        for kind in PURPOSES:
            if kind in kinds and kind not in (one.kind, HELD_OUT, *RIVALS.get(one.kind, ())):
                yield one, kind


def _make_kind(
    kind: str,
    units: list[tuple[Split, str, list[Job]]],
    parts: Path,
    catalogs: list[Catalog],
    counter: _Counter,
    teacher: Teacher | None,
) -> None:
    """All splits' parts of one kind, on one pair of benches that is started if there is work."""
    with ExitStack() as close:
        benches: list[Bench] = []
        for split, _, jobs in units:
            file = parts / f"{split}-{kind}.jsonl"
            if file.exists():
                counter.add(len(jobs))
                continue
            benches = benches or [close.enter_context(Bench(kind)) for _ in range(2)]
            seed = read_json(parts / "plan.json")["seed"]
            maker = ScriptMaker(kind, split, benches, catalogs, seed, teacher=teacher)
            _make_jobs(maker, jobs, counter)
            write_json(
                parts / f"{split}-{kind}.json",
                {
                    "rejected": maker.output.rejected,
                    "by_script": maker.output.by_script,
                    "teacher": maker.output.teacher,
                },
            )
            write_jsonl(file, ([row.to_dict() for row in group] for group in maker.output.rows))


def _make_jobs(maker: ScriptMaker, jobs: list[Job], counter: _Counter) -> None:
    failures = 0
    # World by world is the fastest order: most resets then have little to put back.
    for job in sorted(jobs, key=lambda job: (job.number % 40, job.ability, job.script.name)):
        before = maker.output.rejected["server failed"]
        done = maker.make(job)
        failures = 0 if done or maker.output.rejected["server failed"] == before else failures + 1
        counter.add(1)
        if failures >= _GIVE_UP_AFTER:
            maker.output.rejected["servers unusable"] += 1
            return
