"""Makes conversations from scripts: draw, word, execute, prove, write down, dress in a catalog.

Every job has a seed of its own; a row that cannot be made well is thrown away, counted by its
reason, and drawn again.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from tooltune.data.duplicates import same_words
from tooltune.messages import Conversation, Message
from tooltune.synth import replies
from tooltune.synth.catalogs import RIVALS, Catalog, catalogs_for, dress_up
from tooltune.synth.draw import NothingToDrawError, Values
from tooltune.synth.follow_ups import FollowUp
from tooltune.synth.grammar import Family, Request, word_request
from tooltune.synth.jobs import PURPOSES, Job, Output
from tooltune.synth.maker import SYSTEM_PROMPT, RejectedError
from tooltune.synth.prove import Turns, prove, run_script
from tooltune.synth.scripts.frames import families_of
from tooltune.synth.teacher import KEPT, Teacher
from tooltune.synth.turns import Ask, all_values, joined, written
from tooltune.worlds.bench import Bench
from tooltune.worlds.desk import World
from tooltune.worlds.masks import names
from tooltune.worlds.pools import Split

CONTEXT = {"store": " Every table of the database has the columns id and name."}
"""What the system prompt states about a kind of world."""
WORLDS: dict[Split, int] = {"train": 40, "validation": 6, "test": 10}

_ATTEMPTS = 24
_LONGEST_RESULT = 1500
"""Characters; with longer results few conversations would fit 2,048 tokens."""
_QUESTIONS = (
    "Which {noun} do you mean?",
    "Which {noun} should I use?",
    "Please tell me the {noun}.",
    "What is the {noun}?",
)
_OUT_OF_REACH = (
    "None of my tools does that; they are for {purpose}.",
    "My tools are only for {purpose}, so this is out of reach here.",
    "There is no tool for that here, only tools for {purpose}.",
)


class ScriptMaker:
    """Makes the rows of one kind of world for one split, on two benches of that kind."""

    def __init__(
        self,
        kind: str,
        split: Split,
        benches: list[Bench],
        catalogs: list[Catalog],
        seed: int,
        *,
        teacher: Teacher | None = None,
    ) -> None:
        self._teacher = teacher
        self.kind, self.split, self.benches, self.seed = kind, split, benches, seed
        self._catalogs = catalogs_for(split, catalogs)
        self._requests: set[str] = set()
        self.output = Output()

    def make(self, job: Job) -> bool:
        """Add the job's row or rows to the output; False where no attempt succeeds."""
        rng = random.Random(f"{self.seed} {self.split} {self.kind} {job.name} {job.number}")
        counts = self.output.by_script.setdefault(job.script.name, Counter())
        for attempt in range(_ATTEMPTS):
            world = World(self.split, (job.number + attempt) % WORLDS[self.split])
            try:
                rows = list(self._attempt(job, world, rng))
            except NothingToDrawError:
                counts["nothing to draw"] += 1
            except RejectedError as reason:
                self.output.rejected[str(reason)] += 1
                counts[str(reason)] += 1
            else:
                self._requests.update(_request(row) for row in rows)
                self.output.rows.append(rows)
                counts["kept"] += len(rows)
                return True
        self.output.rejected["given up"] += 1
        return False

    def _attempt(self, job: Job, world: World, rng: random.Random) -> Iterator[Conversation]:
        script = job.script
        scene = replace(self.benches[0].reset(world), rng=rng)
        try:
            values = script.draw(scene)
        except (IndexError, ValueError):
            raise NothingToDrawError from None
        if job.stranger:
            yield self._out_of_reach(job, values, rng)
        elif job.risk is not None:
            yield from self._risk_pair(job, values, rng)
        elif job.slot:
            yield from self._ask_pair(job, values, rng)
        else:
            request = self._word(script.families, script.name, values, rng)
            asks = [Ask(script, values, request)]
            asks += [self._follow_up(job.follow_up, values, scene, rng)] if job.follow_up else []
            retold = self._retold(job, asks, scene, rng) if self._teacher is not None else None
            yield retold or self._executed(job, job.ability, asks, rng)

    def _retold(
        self, job: Job, asks: list[Ask], scene: Any, rng: random.Random
    ) -> Conversation | None:
        """The row in the teacher's words, where it passes every check of the row in ours."""
        assert self._teacher is not None
        first, (request, family) = asks[0], asks[0].request
        text, outcome = self._teacher.rewrite(request.text, first.values.values(), scene)
        row = None
        if outcome == KEPT and same_words(text) in self._requests:
            outcome = "request twice"
        elif outcome == KEPT:
            told = replace(first, request=(replace(request, text=text), family))
            try:
                row = self._executed(job, job.ability, [told, *asks[1:]], rng)
                row.meta["rewritten_from"] = request.text
            except RejectedError as reason:
                outcome = str(reason)
                self.benches[0].reset(self.benches[0].world)
        self.output.teacher[outcome] += 1
        return row

    def _follow_up(self, follow_up: FollowUp, first: Values, scene: Any, rng: random.Random) -> Ask:
        """A second request, which does not say what the first has fixed."""
        values = follow_up.draw(scene, first)
        lines = follow_up.families
        request = self._word(lines, follow_up.name, values, rng, is_chat=True)
        if any(first[slot] in request[0].text for slot in follow_up.needed):
            raise RejectedError("a follow-up that says it all")
        return Ask(follow_up.script, values, request)

    def _ask_pair(self, job: Job, values: Values, rng: random.Random) -> Iterator[Conversation]:
        parameter, noun = job.script.asks[job.slot]
        fitting = [
            family.text
            for family in families_of(job.script.name, job.script.families)[self.split]
            if job.slot in family.droppable
        ]
        if not fitting:
            raise NothingToDrawError
        line, manners = rng.choice(fitting), rng.random()
        whole, cut = (
            self._word(line, job.script.name, values, random.Random(manners), cut=slot)
            for slot in (None, job.slot)
        )
        if values[job.slot] in cut[0].text or whole[0].text == cut[0].text:
            raise RejectedError("twins do not differ")
        asks = [Ask(job.script, values, whole)]
        row = self._executed(job, "single", asks, rng, is_twin=True, is_plain=True)
        yield row
        real = {"id": values.get("id_name", parameter), "choice": values.get("choice", "")}
        meta = {key: value for key, value in values.items() if key != job.slot}
        reply = Message(role="assistant", content=rng.choice(_QUESTIONS).format(noun=noun))
        yield self._told(
            job, "ask", cut, reply, row,
            {"values": meta, "missing": real.get(parameter, parameter), "twin": row.id},
        )  # fmt: skip

    def _risk_pair(self, job: Job, values: Values, rng: random.Random) -> Iterator[Conversation]:
        risk = job.risk
        assert risk is not None
        refused = self._word(risk.refuse_families, f"refuse_{risk.name}", values, rng)
        harmless = self._word(job.wording, job.script.name, values, rng)
        asks = [Ask(job.script, values, harmless)]
        row = self._executed(job, "harmless", asks, rng, is_twin=True)
        yield row
        told = replies.refusal(rng.choice(risk.why), rng.choice(risk.offer))
        reply = Message(role="assistant", content=told)
        yield self._told(
            job, "refuse", refused, reply, row,
            {"program": f"refuse_{risk.name}", "twin": row.id, "values": {}},
        )  # fmt: skip

    def _out_of_reach(self, job: Job, values: Values, rng: random.Random) -> Conversation:
        request = self._word(job.script.families, job.script.name, values, rng)
        able = {self.kind, *RIVALS.get(self.kind, ())}
        own = [one for one in self._catalogs if one.kind == job.stranger and not one.kinds & able]
        if not own:
            raise RejectedError("no catalog")
        purpose = PURPOSES[job.stranger]
        reply = Message(role="assistant", content=rng.choice(_OUT_OF_REACH).format(purpose=purpose))
        meta = self._meta(
            job, request[1], {"program": f"out_of_reach_{job.script.kind}", "values": values}
        )
        row = self._conversation(_id(self, job, "talk"), "talk", [_user(request), reply], meta)
        return dress_up(row, rng.choice(own))

    def _word(
        self,
        lines: str,
        program: str,
        values: Values,
        rng: random.Random,
        *,
        cut: str | None = None,
        is_chat: bool = False,
    ) -> tuple[Request, Family]:
        """A wording of this split that nobody has used."""
        families = families_of(program, lines)[self.split] if "\n" in lines else ()
        family = rng.choice(families) if families else Family(program, lines)
        if "\n" in family.text:
            raise NothingToDrawError
        request = word_request(
            family, values, rng, split=self.split, leave_out=cut, is_chat=is_chat
        )
        if same_words(request.text) in self._requests:
            raise RejectedError("request twice")
        return request, family

    def _executed(
        self,
        job: Job,
        ability: str,
        asks: list[Ask],
        rng: random.Random,
        *,
        is_twin: bool = False,
        is_plain: bool = False,
    ) -> Conversation:
        first = self.benches[0]
        known, said = CONTEXT.get(self.kind, ""), dict[str, Any]()
        messages: list[Message] = []
        turns: Turns = []
        for number, ask in enumerate(asks):
            known = f"{ask.request[0].text}\n{known}"
            made, facts, _ = run_script(ask.script, ask.values, known, first)
            known = "\n".join([known, *(text for _, results in made for text in results)])
            calls_before = sum(len(calls) for calls, _ in turns)
            messages += [_user(ask.request), *written(made, calls_before=calls_before)]
            answer = rng.choice(ask.script.answers.split(" | "))
            messages.append(
                Message(role="assistant", content=answer.format(**{**ask.values, **facts}))
            )
            turns += made
            said[str(number)] = facts
        if any(len(text) > _LONGEST_RESULT for _, results in turns for text in results):
            raise RejectedError("result too long")
        masked = names([first.masked])
        state = prove(joined(asks), all_values(asks), turns, said, self.benches)
        used = sorted({name for calls, _ in turns for name, _ in calls})
        more: dict[str, Any] = {"values": asks[0].values, **_followed(job, asks)}
        more |= {"masks": masked} if masked else {}
        more |= {"state": state} if state else {}
        if is_twin:
            more["twin"] = _id(self, job, job.ability)
        meta = self._meta(job, asks[0].request[1], more)
        servers = sorted({first.servers.server_of[name] for name in used})
        prefix = "twin-" if is_twin and ability == "single" else ""
        row = self._conversation(
            _id(self, job, ability, prefix), ability, messages, meta | {"servers": servers}
        )
        return dress_up(row, self._catalog(used, rng, is_plain=is_plain))

    def _told(
        self,
        job: Job,
        ability: str,
        request: tuple[Request, Family],
        reply: Message,
        twin: Conversation,
        more: dict[str, Any],
    ) -> Conversation:
        """A row without calls, with the tools its twin was shown."""
        meta = self._meta(job, request[1], more)
        row = self._conversation(_id(self, job, ability), ability, [_user(request), reply], meta)
        shown = {"catalog": twin.meta["catalog"]}
        return row.model_copy(update={"tools": twin.tools, "meta": {**row.meta, **shown}})

    def _catalog(self, used: list[str], rng: random.Random, *, is_plain: bool) -> Catalog:
        fitting = [
            one
            for one in self._catalogs
            if one.kind == self.kind
            and one.real_names.issuperset(used)
            and not (is_plain and one.tool_names)
        ]
        if not fitting:
            raise RejectedError("no catalog")
        return rng.choice(fitting)

    def _meta(self, job: Job, family: Family, more: dict[str, Any]) -> dict[str, Any]:
        world = self.benches[0].world
        meta = {
            "split": self.split,
            "program": job.script.name,
            "phrasing": family.id,
            "world": {"kind": self.kind, **world.to_dict()},
            "seed": self.seed,
        }
        return meta | ({"form": job.script.form} if job.script.form else {}) | more

    def _conversation(
        self, row_id: str, ability: str, messages: list[Message], meta: dict[str, Any]
    ) -> Conversation:
        prompt = SYSTEM_PROMPT + CONTEXT.get(self.kind, "")
        system = Message(role="system", content=prompt)
        return Conversation(id=row_id, ability=ability, messages=(system, *messages), meta=meta)


def _id(maker: ScriptMaker, job: Job, ability: str, prefix: str = "") -> str:
    return f"{maker.split}-{maker.kind}-{ability}-{prefix}{job.name}-{job.number:04}"


def _followed(job: Job, asks: list[Ask]) -> dict[str, Any]:
    """What meta says of a second request."""
    if job.follow_up is None:
        return {}
    then = asks[1]
    told = {"program": then.script.name, "phrasing": then.request[1].id, "values": then.values}
    return {"program": job.follow_up.name, "form": "follow-up", "then": told}


def _request(row: Conversation) -> str:
    return same_words(next(one.content for one in row.messages if one.role == "user"))


def _user(request: tuple[Request, Family]) -> Message:
    return Message(role="user", content=request[0].text)
