"""Makes rows one by one: draw values, word the request, execute, check, write down.

Every row has its own seed; a row that cannot be made well is thrown away and drawn again.
"""

import hashlib
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tooltune.messages import Conversation, Message, ToolCall
from tooltune.synth import replies
from tooltune.synth.draw import Draw, NothingToDrawError, Values, danger_values
from tooltune.synth.grammar import Family, Request, word_request
from tooltune.synth.phrasings import talk
from tooltune.synth.phrasings.refusals import Danger
from tooltune.synth.plan import Counts, Job, harmless_program, plan_split
from tooltune.synth.programs import DEFAULT_ZONE, Program
from tooltune.worlds.desk import Desk, World
from tooltune.worlds.pools import Split
from tooltune.worlds.sandbox import Sandbox

SYSTEM_PROMPT = (
    "You are a helpful assistant with tools. Ask for a required value that is missing, "
    "and refuse what is dangerous."
)
DESKS: dict[Split, int] = {"train": 160, "validation": 8, "test": 16}
"""Worlds per split."""

_ATTEMPTS = 120
"""Draws per row before it is given up: a desk may lack what a program needs."""
_ATTEMPTS_PER_DESK = 4
_STANDING = (DEFAULT_ZONE, "1")
"""Known without being said: the time server's default zone, and that `the last commit` is one."""
_COMMAND_WORDS = frozenset({"find", "-name", "grep", "-rn", "wc", "-l", "ls", "head", "tail", "-n"})


class RejectedError(Exception):
    """A row that must not be kept; the message is the reason it is counted under."""


def state_digest(snapshot: dict[str, str]) -> str:
    """What a row records as `meta.state`: the first half of the SHA-256 of the state as JSON."""
    text = json.dumps(snapshot, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Maker:
    """Makes the rows of all splits; remembers every wording so that none repeats across splits."""

    def __init__(self, sandbox: Sandbox, programs: dict[str, Program], seed: int) -> None:
        self.sandbox = sandbox
        self.programs = programs
        self.seed = seed
        self.rejected: Counter[str] = Counter()
        """Reason to attempts; `given up` are rows missing in the end."""
        self._requests: set[str] = set()
        self._wordings: dict[str, Split] = {}
        self._rows_made = 0

    def make_split(
        self, split: Split, counts: Counts, progress: Callable[[int], None]
    ) -> list[Conversation]:
        """Rows of one split, shuffled; made desk by desk, which is the fastest order.

        `progress` gets the rows made so far, those of earlier splits included.
        """
        rng = random.Random(f"{self.seed} plan {split}")
        jobs = plan_split(split, self.programs, counts, rng)
        placed = [(job, rng.randrange(DESKS[split])) for job in jobs]
        rows: list[Conversation] = []
        for job, number in sorted(placed, key=lambda pair: pair[1]):
            made = self._make(split, job, number)
            rows += made
            self._rows_made += len(made)
            progress(self._rows_made)
        rng.shuffle(rows)
        return rows

    def _make(self, split: Split, job: Job, number: int) -> list[Conversation]:
        """The job's row or rows; none where no attempt succeeds."""
        rng = random.Random(f"{self.seed} {split} {job.ability} {job.number} {job.family.id}")
        for attempt in range(_ATTEMPTS):
            world = World(split, (number + attempt // _ATTEMPTS_PER_DESK) % DESKS[split])
            desk = self.sandbox.reset(world.to_dict())
            try:
                made = list(self._attempt(job, desk, rng))
            except NothingToDrawError:
                self.rejected["nothing to draw"] += 1
            except RejectedError as reason:
                self.rejected[str(reason)] += 1
            else:
                for _, request in made:
                    self._requests.add(request.text)
                    self._wordings[request.core] = split
                return [row for row, _ in made]
        self.rejected["given up"] += 1
        return []

    def _attempt(
        self, job: Job, desk: Desk, rng: random.Random
    ) -> Iterator[tuple[Conversation, Request]]:
        row = _Row(job, desk, rng, self.seed)
        if job.ability == "talk":
            yield self._talk(row)
        elif job.danger is not None:
            yield from self._danger_pair(row, job.danger)
        elif job.missing_slot is not None:
            yield from self._asked(row, job.missing_slot)
        else:
            assert job.program is not None
            values = job.program.draw(Draw(desk, rng))
            request = self._word(row, job.family, values)
            yield self._execute(row, job.ability, job.program, values, request), request

    def _asked(self, row: "_Row", slot: str) -> Iterator[tuple[Conversation, Request]]:
        """A request with a value forgotten, and the complete one where the job has a twin."""
        program = row.job.program
        assert program is not None
        values = program.draw(Draw(row.desk, row.rng))
        manners = row.rng.random()
        cut = self._word(row, row.job.family, values, rng=random.Random(manners), leave_out=slot)
        if values[slot] in cut.text:
            raise RejectedError("twins do not differ")
        ask_id, single_id = row.id("ask"), row.id("single", "twin-")
        if row.job.has_twin:
            whole = self._word(row, row.job.family, values, rng=random.Random(manners))
            yield self._execute(row, "single", program, values, whole, twin=ask_id), whole
        parameter = program.asks[slot]
        meta = row.meta(program.name, {key: values[key] for key in values if key != slot})
        meta |= {"missing": parameter, "tool": program.tools[0]}
        meta |= {"twin": single_id} if row.job.has_twin else {}
        reply = Message(role="assistant", content=replies.QUESTIONS[parameter])
        yield self._conversation(ask_id, "ask", [_user(cut), reply], meta), cut

    def _danger_pair(self, row: "_Row", danger: Danger) -> Iterator[tuple[Conversation, Request]]:
        """A request to refuse, and a harmless one in the same words on the same values."""
        values = danger_values(Draw(row.desk, row.rng, risky=True))
        job = row.job
        refuse_id, harmless_id = row.id("refuse"), row.id("harmless")
        is_pair = job.ability == "refuse" and job.harmless_family is not None
        if job.ability == "refuse":
            request = self._word(row, job.family, values)
            meta = row.meta(f"refuse_{danger.name}", _named_in(job.family, values))
            meta |= {"twin": harmless_id} if is_pair else {}
            reply = Message(role="assistant", content=replies.refusal(danger.why, danger.offer))
            yield self._conversation(refuse_id, "refuse", [_user(request), reply], meta), request
        if job.harmless_family is not None:
            name, text = harmless_program(job.harmless_family)
            family = Family(job.harmless_family.program, text)
            request = self._word(row, family, values)
            own = _program_values(name, _named_in(family, values))
            twin = refuse_id if is_pair else None
            yield (
                self._execute(row, "harmless", self.programs[name], own, request, twin=twin),
                request,
            )

    def _talk(self, row: "_Row") -> tuple[Conversation, Request]:
        family = row.job.family
        text, _, told = family.text.partition(" => ")
        is_chat = family.program in talk.CHATTER
        request = self._word(row, Family(family.program, text), {}, is_chat=is_chat)
        messages = [_user(request), Message(role="assistant", content=told)]
        meta = row.meta(family.program, {})
        return self._conversation(row.id("talk"), "talk", messages, meta), request

    def _word(
        self,
        row: "_Row",
        family: Family,
        values: Values,
        *,
        rng: random.Random | None = None,
        leave_out: str | None = None,
        is_chat: bool = False,
    ) -> Request:
        """A wording nobody has used: no request twice, and no wording in two splits."""
        split = row.desk.world.split
        request = word_request(
            family, values, rng or row.rng, split=split, leave_out=leave_out, is_chat=is_chat
        )
        if request.text in self._requests:
            raise RejectedError("request twice")
        if self._wordings.get(request.core, split) != split:
            raise RejectedError("wording in two splits")
        return request

    def _execute(
        self,
        row: "_Row",
        ability: str,
        program: Program,
        values: Values,
        request: Request,
        *,
        twin: str | None = None,
    ) -> Conversation:
        """Run the program, then write the conversation down from what the servers answered."""
        self.sandbox.reset(row.desk.world.to_dict())
        messages = [_user(request)]
        results: list[str] = []
        for number, step in enumerate(program.steps, start=1):
            name, arguments = step(values, results)
            _require_grounded(arguments, request.text, results)
            result = self.sandbox.call(name, arguments)
            if result.is_error:
                raise RejectedError(f"{name} failed")
            results.append(result.content)
            call = ToolCall(id=f"call_{number}", name=name, arguments=arguments)
            messages.append(Message(role="assistant", tool_calls=(call,)))
            messages.append(Message(role="tool", content=result.content, tool_call_id=call.id))
        told = replies.answer(program.name, values, results)
        messages.append(Message(role="assistant", content=told))
        meta = row.meta(program.name, values) | ({"twin": twin} if twin else {})
        if any(self._may_write(call) for message in messages for call in message.tool_calls):
            meta["state"] = state_digest(self.sandbox.snapshot())
        is_ask_twin = ability == "single" and twin is not None
        row_id = row.id(ability, "twin-" if is_ask_twin else "")
        return self._conversation(row_id, ability, messages, meta)

    def _may_write(self, call: ToolCall) -> bool:
        """A snapshot of git costs more than a call, so it is taken for these only."""
        tool = next(tool for tool in self.sandbox.tools if tool.name == call.name)
        return not tool.read_only

    def _conversation(
        self, row_id: str, ability: str, messages: list[Message], meta: dict[str, Any]
    ) -> Conversation:
        return Conversation(
            id=row_id,
            ability=ability,
            messages=(Message(role="system", content=SYSTEM_PROMPT), *messages),
            tools=self.sandbox.tools,
            meta=meta,
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """What all steps of making one row share."""

    job: Job
    desk: Desk
    rng: random.Random
    seed: int

    def id(self, ability: str, prefix: str = "") -> str:
        return f"{self.desk.world.split}-{ability}-{prefix}{self.job.number:04}"

    def meta(self, program: str, values: Values) -> dict[str, Any]:
        is_harmless = self.job.harmless_family is not None and not program.startswith("refuse_")
        family = self.job.harmless_family if is_harmless else self.job.family
        assert family is not None
        return {
            "split": self.desk.world.split,
            "program": program,
            "phrasing": family.id,
            "values": values,
            "world": self.desk.world.to_dict(),
            "seed": self.seed,
        }


def _named_in(family: Family, values: Values) -> Values:
    return {slot: values[slot] for slot in sorted(family.slots)}


def _program_values(program: str, values: Values) -> Values:
    """The values a pair shares, under the slot names the harmless program knows."""
    renamed = {"branch_new": "branch", "path_new": "path"}
    if program == "read_then_write":
        renamed = {"path_new": "copy"}
    if program in ("grep", "find_extension"):
        renamed = {"repo": "place"}
    return {renamed.get(slot, slot): value for slot, value in values.items()}


def _user(request: Request) -> Message:
    return Message(role="user", content=request.text)


def _require_grounded(arguments: dict[str, Any], request: str, results: list[str]) -> None:
    """Every value comes from the request or an earlier result; paths and commands part by part."""
    known = "\n".join([request, *results])
    for value in arguments.values():
        text = str(value)
        parts = [part for part in re.split(r"[\s'/*.]+", text) if part not in _COMMAND_WORDS]
        if text not in known and text not in _STANDING and not all(one in known for one in parts):
            raise RejectedError("not grounded")
