"""Stage `synth`: executes programs in a sandbox and writes train, validation and test splits.

Every row is planned from its own seed, executed on the real servers, checked, and only then
worded as a conversation. Same config and seed, same bytes.
"""

import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tooltune.errors import ConfigError
from tooltune.jsonl import write_json, write_jsonl
from tooltune.messages import ABILITIES, Conversation, Message, Tool, ToolCall, ToolResult
from tooltune.servers.spec import read_specs
from tooltune.synth import replies
from tooltune.synth.grammar import Family, Request, split_families, word_request
from tooltune.synth.phrasings import talk
from tooltune.synth.phrasings.refusals import DANGERS, Danger
from tooltune.synth.programs import (
    CHAIN_PROGRAMS,
    DEFAULT_ZONE,
    PROGRAMS,
    SINGLE_PROGRAMS,
    Draw,
    NothingToDraw,
    Program,
    Values,
)
from tooltune.worlds import pools
from tooltune.worlds.desk import Desk, World
from tooltune.worlds.pools import SPLITS, Split
from tooltune.worlds.sandbox import Sandbox

SYSTEM_PROMPT = (
    "You are a helpful assistant with tools. Ask for a required value that is missing, "
    "and refuse what is dangerous."
)
WORLDS: dict[Split, int] = {"train": 48, "validation": 8, "test": 16}
"""Desks per split."""
_ATTEMPTS = 40
"""Draws per row before it is given up: a desk may lack what a program needs."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows per ability. Each `ask` row is the twin of one of the `single` rows."""

    single: int
    chain: int
    ask: int
    refuse: int
    harmless: int
    talk: int

    @property
    def total(self) -> int:
        return sum(asdict(self).values())


DEFAULT_COUNTS: dict[Split, Counts] = {
    "train": Counts(single=860, chain=380, ask=260, refuse=160, harmless=180, talk=160),
    "validation": Counts(single=48, chain=24, ask=12, refuse=12, harmless=12, talk=12),
    "test": Counts(single=80, chain=40, ask=30, refuse=30, harmless=30, talk=30),
}


@dataclass(slots=True)
class Report:
    """What was written, and what was thrown away and why."""

    rows: dict[str, dict[str, int]] = field(default_factory=dict)
    """Split to ability to rows."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Reason to attempts."""
    left_out: list[str] = field(default_factory=list)
    """Programs whose tools the servers do not offer."""
    seconds: float = 0.0


class Rejected(Exception):
    """A row that must not be kept; the message is the reason it is counted under."""


def synthesise(
    config: Path,
    out: Path,
    *,
    seed: int = 7,
    counts: dict[Split, Counts] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Report:
    """Write out/{train,validation,test}.jsonl and out/summary.json.

    `config` is an `mcp.json`; `progress` gets rows done and rows in all. Raises ConfigError where a
    server has no hand-written programs, ServerError where one fails.
    """
    started = time.monotonic()
    counts = counts or DEFAULT_COUNTS
    specs = read_specs(config)
    total = sum(one.total for one in counts.values())
    report = Report()
    with Sandbox(config) as sandbox:
        sandbox.reset(World("train", 0).to_dict())
        _require_known_servers(list(specs), sandbox)
        maker = _Maker(sandbox, seed, report, lambda done: progress(done, total))
        splits = {split: maker.make_split(split, counts[split]) for split in counts}
    for split, rows in splits.items():
        write_jsonl(out / f"{split}.jsonl", (row.to_dict() for row in rows))
    # Seconds stay out of the file: the same seed must give the same bytes.
    write_json(out / "summary.json", {"seed": seed, **_without_seconds(report)})
    report.seconds = time.monotonic() - started
    return report


def _without_seconds(report: Report) -> dict[str, Any]:
    return {key: value for key, value in asdict(report).items() if key != "seconds"}


def _require_known_servers(names: list[str], sandbox: Sandbox) -> None:
    known = {tool for program in PROGRAMS.values() for tool in program.tools}
    unknown = [
        name
        for name in names
        if not any(sandbox.server_of[tool] == name and tool in known for tool in sandbox.server_of)
    ]
    if unknown or not names:
        raise ConfigError(
            f"servers {', '.join(unknown) or '(none)'}: no programs for their tools (got "
            f"{len(names)} servers, expected mcp-server-git, mcp-server-time and "
            "tooltune.servers.workspace, or some of them). Take the others out of the config."
        )


@dataclass(frozen=True, slots=True)
class _Job:
    """One row to make, or a pair of twins."""

    ability: str
    number: int
    family: Family
    program: Program | None = None
    missing_slot: str | None = None
    danger: Danger | None = None
    partner: Family | None = None
    """The harmless family beside a refused one."""


class _Maker:
    """Makes the rows of all splits; remembers every wording so that none repeats across splits."""

    def __init__(
        self, sandbox: Sandbox, seed: int, report: Report, progress: Callable[[int], None]
    ) -> None:
        self.sandbox = sandbox
        self.seed = seed
        self.report = report
        self._progress = progress
        self._done = 0
        self._requests: set[str] = set()
        self._wordings: dict[str, Split] = {}
        offered = {tool.name for tool in sandbox.tools}
        self.programs = {
            program.name: program
            for program in PROGRAMS.values()
            if offered.issuperset(program.tools)
        }
        report.left_out = sorted(PROGRAMS.keys() - self.programs.keys())

    def make_split(self, split: Split, counts: Counts) -> list[Conversation]:
        """Rows of one split, shuffled; made world by world, which is the fastest order."""
        rng = random.Random(f"{self.seed} jobs {split}")
        jobs = [(job, rng.randrange(WORLDS[split])) for job in self._plan(split, counts, rng)]
        rows: list[Conversation] = []
        for job, number in sorted(jobs, key=lambda pair: pair[1]):
            made = self._make(split, job, number)
            rows += made
            self._done += len(made)
            self._progress(self._done)
        rng.shuffle(rows)
        self.report.rows[split] = {
            ability: sum(row.ability == ability for row in rows) for ability in ABILITIES
        }
        return rows

    def _plan(self, split: Split, counts: Counts, rng: random.Random) -> list[_Job]:
        singles = [one for one in SINGLE_PROGRAMS if one.name in self.programs]
        chains = [one for one in CHAIN_PROGRAMS if one.name in self.programs]
        asks = _plan_asks(split, singles, counts.ask, rng)
        twins = Counter(job.program.name for job in asks if job.program)
        return [
            *asks,
            *_plan_programs("single", split, singles, counts.single, rng, already=twins),
            *_plan_programs("chain", split, chains, counts.chain, rng, already=Counter()),
            *self._plan_dangers(split, counts, rng),
            *_plan_talk(split, counts.talk, rng),
        ]

    def _plan_dangers(self, split: Split, counts: Counts, rng: random.Random) -> list[_Job]:
        harmless = {
            danger.name: [
                family
                for family in split_families(f"harmless_{danger.name}", danger.harmless)[split]
                if _harmless_program(family) in self.programs
            ]
            for danger in DANGERS
        }
        dangers = [danger for danger in DANGERS if harmless[danger.name]]
        if not dangers:
            return []
        number = max(counts.refuse, counts.harmless)
        refuse_cycles = {
            danger.name: _cycle(split_families(f"refuse_{danger.name}", danger.refuse)[split], rng)
            for danger in dangers
        }
        harmless_cycles = {name: _cycle(tuple(one), rng) for name, one in harmless.items() if one}
        jobs = []
        for index in range(number):
            danger = dangers[index % len(dangers)]
            ability = "refuse" if index < counts.refuse else "harmless"
            partner = next(harmless_cycles[danger.name]) if index < counts.harmless else None
            family = next(refuse_cycles[danger.name])
            jobs.append(_Job(ability, index, family, danger=danger, partner=partner))
        return jobs

    def _make(self, split: Split, job: _Job, number: int) -> list[Conversation]:
        """The job's row or rows; fewer where no attempt succeeds (counted as `given up`)."""
        seed = f"{self.seed} {split} {job.ability} {job.number} {job.family.id}"
        rng = random.Random(seed)
        rejected: Counter[str] = Counter(self.report.rejected)
        for attempt in range(_ATTEMPTS):
            world = World(split, (number + attempt // 4) % WORLDS[split])
            desk = self.sandbox.reset(world.to_dict())
            try:
                rows = list(self._attempt(job, desk, rng, split))
            except NothingToDraw:
                rejected["nothing to draw"] += 1
            except Rejected as reason:
                rejected[str(reason)] += 1
            else:
                self.report.rejected = dict(sorted(rejected.items()))
                self._remember(rows, split)
                return [row for row, _ in rows]
        rejected["given up"] += 1
        self.report.rejected = dict(sorted(rejected.items()))
        return []

    def _attempt(
        self, job: _Job, desk: Desk, rng: random.Random, split: Split
    ) -> Iterator[tuple[Conversation, Request]]:
        if job.ability == "talk":
            yield self._talk(job, desk, rng)
        elif job.danger:
            yield from self._danger_pair(job, job.danger, desk, rng)
        elif job.ability == "ask":
            yield from self._ask_pair(job, desk, rng)
        else:
            assert job.program is not None
            values = job.program.draw(Draw(desk, rng))
            request = self._word(job.family, values, rng, desk)
            row_id = f"{split}-{job.ability}-{job.number:04}"
            yield self._executed(row_id, job.ability, job, desk, values, request, rng), request

    def _ask_pair(
        self, job: _Job, desk: Desk, rng: random.Random
    ) -> Iterator[tuple[Conversation, Request]]:
        """A complete request and the same one with a value forgotten."""
        assert job.program is not None
        assert job.missing_slot is not None
        split = desk.world.split
        values = job.program.draw(Draw(desk, rng))
        twin_seed = rng.random()
        whole = self._word(job.family, values, random.Random(twin_seed), desk)
        cut = self._word(
            job.family, values, random.Random(twin_seed), desk, leave_out=job.missing_slot
        )
        ask_id, single_id = f"{split}-ask-{job.number:04}", f"{split}-single-a{job.number:04}"
        single = self._executed(single_id, "single", job, desk, values, whole, rng, twin=ask_id)
        yield single, whole
        parameter = job.program.asks[job.missing_slot]
        rest = {slot: value for slot, value in values.items() if slot != job.missing_slot}
        meta = _meta(desk, job.program.name, job.family, rest)
        meta |= {"missing": parameter, "twin": single_id}
        reply = Message(role="assistant", content=replies.question(parameter, rng))
        yield self._row(ask_id, "ask", [_user(cut), reply], meta), cut

    def _danger_pair(
        self, job: _Job, danger: Danger, desk: Desk, rng: random.Random
    ) -> Iterator[tuple[Conversation, Request]]:
        """A request to refuse, and a harmless one in the same words on the same values."""
        split = desk.world.split
        refuse_id, harmless_id = (
            f"{split}-refuse-{job.number:04}",
            f"{split}-harmless-{job.number:04}",
        )
        values = _danger_values(Draw(desk, rng, risky=True))
        has_both = job.ability == "refuse" and job.partner is not None
        if job.ability == "refuse":
            request = self._word(job.family, values, rng, desk)
            used = _used(job.family, values)
            meta = _meta(desk, f"refuse_{danger.name}", job.family, used)
            meta |= {"twin": harmless_id} if has_both else {}
            reply = Message(role="assistant", content=replies.refusal(danger, rng))
            yield self._row(refuse_id, "refuse", [_user(request), reply], meta), request
        if job.partner is not None:
            name, _, text = job.partner.text.partition(" | ")
            family = Family(job.partner.program, text)
            request = self._word(family, values, rng, desk)
            program = self.programs[name]
            own = _program_values(program.name, _used(family, values))
            harmless = _Job("harmless", job.number, job.partner, program=program)
            row = self._executed(harmless_id, "harmless", harmless, desk, own, request, rng,
                                 twin=refuse_id if has_both else None)  # fmt: skip
            yield row, request

    def _talk(self, job: _Job, desk: Desk, rng: random.Random) -> tuple[Conversation, Request]:
        text, _, reply = job.family.text.partition(" => ")
        request = self._word(Family(job.family.program, text), {}, rng, desk)
        meta = _meta(desk, job.family.program, job.family, {})
        messages = [_user(request), Message(role="assistant", content=reply)]
        return self._row(
            f"{desk.world.split}-talk-{job.number:04}", "talk", messages, meta
        ), request

    def _word(
        self,
        family: Family,
        values: Values,
        rng: random.Random,
        desk: Desk,
        *,
        leave_out: str | None = None,
    ) -> Request:
        """A wording nobody has used: no request twice, and no wording in two splits."""
        split = desk.world.split
        request = word_request(family, values, rng, split=split, leave_out=leave_out)
        if request.text in self._requests:
            raise Rejected("request twice")
        if self._wordings.get(request.blanked, split) != split:
            raise Rejected("wording in two splits")
        return request

    def _remember(self, rows: list[tuple[Conversation, Request]], split: Split) -> None:
        for _, request in rows:
            self._requests.add(request.text)
            self._wordings[request.blanked] = split

    def _executed(
        self,
        row_id: str,
        ability: str,
        job: _Job,
        desk: Desk,
        values: Values,
        request: Request,
        rng: random.Random,
        twin: str | None = None,
    ) -> Conversation:
        """Run the program, then write the conversation down from what the servers answered."""
        assert job.program is not None
        messages = [_user(request)]
        results: list[str] = []
        for number, step in enumerate(job.program.steps, start=1):
            name, arguments = step(values, results)
            _require_grounded(arguments, request.text, results)
            result = self._call(desk, number, name, arguments)
            if result.is_error:
                raise Rejected(f"{name} failed")
            results.append(result.content)
            call = ToolCall(id=f"call_{number}", name=name, arguments=arguments)
            messages.append(Message(role="assistant", tool_calls=(call,)))
            messages.append(Message(role="tool", content=result.content, tool_call_id=call.id))
        told = replies.answer(job.program.name, values, results, rng)
        messages.append(Message(role="assistant", content=told))
        meta = _meta(desk, job.program.name, job.family, values)
        meta |= {"twin": twin} if twin else {}
        return self._row(row_id, ability, messages, meta)

    def _call(self, desk: Desk, number: int, name: str, arguments: dict[str, Any]) -> ToolResult:
        """Execute on the desk as the row's earlier calls left it; the first finds it untouched."""
        if number == 1:
            self.sandbox.reset(desk.world.to_dict())
        return self.sandbox.call(name, arguments)

    def _row(
        self, row_id: str, ability: str, messages: list[Message], meta: dict[str, Any]
    ) -> Conversation:
        return Conversation(
            id=row_id,
            ability=ability,
            messages=(Message(role="system", content=SYSTEM_PROMPT), *messages),
            tools=self.sandbox.tools,
            meta={**meta, "seed": self.seed},
        )


def _plan_asks(split: Split, programs: list[Program], count: int, rng: random.Random) -> list[_Job]:
    """Round robin over every value that can be missing, then over the families that can miss it."""
    cycles = []
    for program in programs:
        for slot in program.asks:
            families = split_families(program.name, program.families)[split]
            fitting = tuple(one for one in families if slot in one.droppable)
            if fitting:
                cycles.append((program, slot, _cycle(fitting, rng)))
    jobs = []
    for number in range(count if cycles else 0):
        program, slot, families = cycles[number % len(cycles)]
        jobs.append(_Job("ask", number, next(families), program=program, missing_slot=slot))
    return jobs


def _plan_programs(
    ability: str,
    split: Split,
    programs: list[Program],
    count: int,
    rng: random.Random,
    *,
    already: Counter[str],
) -> list[_Job]:
    """Share `count` by weight, less what `already` exists as twins of other rows."""
    if not programs:
        return []
    cycles = {
        program.name: _cycle(split_families(program.name, program.families)[split], rng)
        for program in programs
    }
    made = Counter({program.name: already[program.name] for program in programs})
    jobs = []
    for number in range(count - already.total()):
        program = min(programs, key=lambda one: made[one.name] / one.weight)
        made[program.name] += 1
        jobs.append(_Job(ability, number, next(cycles[program.name]), program=program))
    return jobs


def _plan_talk(split: Split, count: int, rng: random.Random) -> list[_Job]:
    kinds = {
        "talk_greeting": talk.GREETING,
        "talk_about": talk.ABOUT,
        "talk_knowledge": talk.KNOWLEDGE,
        "talk_out_of_reach": talk.OUT_OF_REACH,
    }
    families = [one for kind, lines in kinds.items() for one in split_families(kind, lines)[split]]
    cycle = _cycle(tuple(families), rng)
    return [_Job("talk", number, next(cycle)) for number in range(count)]


def _cycle(families: tuple[Family, ...], rng: random.Random) -> Iterator[Family]:
    """All of them in a random order, again and again in new orders."""
    while True:
        yield from rng.sample(families, len(families))


def _harmless_program(family: Family) -> str:
    return family.text.partition(" | ")[0]


def _danger_values(draw: Draw) -> Values:
    project = draw.rng.choice(
        [one for one in draw.desk.projects if len(one.branches) > 1] or draw.desk.projects
    )
    return {
        "repo": project.name,
        "path": draw.path(project),
        "folder": draw.rng.choice(list(project.folders)),
        "branch": draw.existing_branch(project),
        "branch_new": draw.new_branch(project),
        "path_new": draw.new_path(),
        "content": draw.content(),
        "word": draw.word(),
        "ext": draw.extension(),
        "rev": draw.revision(project),
        "n": Draw.pick(draw, pools.NUMBERS),
        "zone": Draw.pick(draw, pools.ZONES),
    }


def _used(family: Family, values: Values) -> Values:
    return {slot: values[slot] for slot in sorted(family.slots)}


def _program_values(program: str, values: Values) -> Values:
    """The shared values of a pair under the slot names the harmless program knows."""
    renamed = {"branch_new": "branch", "path_new": "path"}
    if program == "read_then_write":
        renamed = {"path_new": "copy"}
    if program in ("grep", "find_extension"):
        renamed = {"repo": "place"}
    return {renamed.get(slot, slot): value for slot, value in values.items()}


def _user(request: Request) -> Message:
    return Message(role="user", content=request.text)


def _meta(desk: Desk, program: str, family: Family, values: Values) -> dict[str, Any]:
    return {
        "split": desk.world.split,
        "program": program,
        "phrasing": family.id,
        "values": values,
        "world": desk.world.to_dict(),
    }


def _require_grounded(arguments: dict[str, Any], request: str, results: list[str]) -> None:
    """Every value must come from the request or an earlier result; paths and commands by parts."""
    known = "\n".join([request, *results])
    for value in arguments.values():
        text = str(value)
        parts = [part for part in re.split(r"[\s'/*.]+", text) if part and part not in _COMMANDS]
        if text not in known and text not in _STANDING and not all(one in known for one in parts):
            raise Rejected("not grounded")


_STANDING = (DEFAULT_ZONE, "1")
"""Known without being said: the time server's default zone, and that `the last commit` is one."""
_COMMANDS = frozenset("find -name grep -rn wc -l ls head tail -n".split())
