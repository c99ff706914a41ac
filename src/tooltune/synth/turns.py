"""One or several requests of a user in one sandbox: what each asks, and how it is written down."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tooltune.messages import Message, ToolCall
from tooltune.synth.draw import Values
from tooltune.synth.grammar import Family, Request
from tooltune.synth.prove import Turns
from tooltune.synth.scripts.script import Facts, Run, Script


@dataclass(frozen=True, slots=True)
class Ask:
    """One request of the user, and the script that answers it."""

    script: Script
    values: Values
    request: tuple[Request, Family]


def joined(asks: Sequence[Ask]) -> Script:
    """One script that does what all do, one after the other; its facts are theirs by number."""

    def run(_: Values) -> Run:
        facts: Facts = {}
        for number, ask in enumerate(asks):
            facts[str(number)] = yield from ask.script.run(ask.values)
        return facts

    return replace(asks[0].script, run=run)


def all_values(asks: Sequence[Ask]) -> Values:
    return {
        f"{number} {slot}": value
        for number, ask in enumerate(asks)
        for slot, value in ask.values.items()
    }


def written(turns: Turns, *, calls_before: int) -> list[Message]:
    """The calls and results of one request; calls are numbered through the conversation."""
    messages, number = [], calls_before
    for calls, results in turns:
        made = [
            ToolCall(id=f"call_{number + index}", name=name, arguments=arguments)
            for index, (name, arguments) in enumerate(calls, 1)
        ]
        number += len(made)
        messages.append(Message(role="assistant", tool_calls=tuple(made)))
        messages += [
            Message(role="tool", content=text, tool_call_id=one.id)
            for one, text in zip(made, results, strict=True)
        ]
    return messages
