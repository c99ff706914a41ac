"""Programs with the protocol's own test server: never trained on, only tested with."""

import json
import re

from tooltune.synth.draw import Values
from tooltune.synth.scripts.script import Run, call, need, script, scripts_of
from tooltune.worlds import values
from tooltune.worlds.kinds import Bare

_CITIES = ("New York", "Chicago", "Los Angeles")
_TYPES = ("error", "success", "debug")


def _numbers(bare: Bare) -> Values:
    rng = bare.rng
    return {"a": str(rng.randint(2, 900)), "b": str(rng.randint(2, 900)),
            "c": str(rng.randint(2, 900)), "n": str(rng.choice((1, 2, 4, 5, 6, 7, 8, 9, 10))),
            "text": rng.choice(values.THINGS[bare.world.split]),
            "city": rng.choice(_CITIES), "kind": rng.choice(_TYPES)}  # fmt: skip


def _sum(text: str) -> str:
    match = re.search(r" is (-?[\d.]+?)\.?$", text)
    need(match)
    assert match is not None
    return match[1]


@script(
    "everything",
    """
! echo< "{text}"~ a message>
! send back the message< "{text}"~ I have in mind>
= an echo of< "{text}"~ something>
""",
    "{x} | It came back as: {x}",
    draw=_numbers,
    asks={"text": ("message", "message")},
)
def echo(v: Values) -> Run:
    (text,) = yield call("echo", message=v["text"])
    return {"x": text.removeprefix("Echo: ")}


@script("everything", """
what is {a} plus {b}?
= the sum of {a} and {b}
! add up {a} and {b}
""", "{x} | It is {x}.", draw=_numbers)  # fmt: skip
def get_sum(v: Values) -> Run:
    (text,) = yield call("get-sum", a=int(v["a"]), b=int(v["b"]))
    return {"x": _sum(text)}


@script("everything", """
how is the weather in {city}? {text} asks
= the weather in {city}, for the {text} page
! look up temperature and humidity in {city} for {text}
""", "{t} degrees and {c}. | {c}, {t} degrees.", draw=_numbers)  # fmt: skip
def weather(v: Values) -> Run:
    (text,) = yield call("get-structured-content", location=v["city"])
    found = json.loads(text.splitlines()[0])
    return {"t": found["temperature"], "c": found["conditions"]}


@script("everything", """
= an annotated message of the type {kind}, for the {text} tests
! fetch the annotated {kind} message for {text}
what does the annotated {kind} message say? It is for {text}
""", "It says: {x} | {x}", draw=_numbers)  # fmt: skip
def annotated(v: Values) -> Run:
    (text,) = yield call("get-annotated-message", messageType=v["kind"])
    return {"x": text.splitlines()[0]}


@script("everything", """
= {n} resource links for {text}
! list {n} resource links, the {text} page needs them
give {n} links to resources, for {text}
""", "{x} | Here they are: {x}", draw=_numbers)  # fmt: skip
def links(v: Values) -> Run:
    (text,) = yield call("get-resource-links", count=int(v["n"]))
    return {"x": text.splitlines()[0]}


@script("everything", """
what are {a} plus {b} and {b} plus {c}?
= the sums of {a} and {b} and of {b} and {c}
! add {a} to {b}, and separately {b} to {c}
""", "{x} and {y}. | {x} first, {y} second.", draw=_numbers, form="parallel")  # fmt: skip
def two_gets(v: Values) -> Run:
    first, second = yield [call("get-sum", a=int(v["a"]), b=int(v["b"])),
                           call("get-sum", a=int(v["b"]), b=int(v["c"]))]  # fmt: skip
    return {"x": _sum(first), "y": _sum(second)}


@script("everything", """
! add {a} and {b} and echo what comes out
! compute the sum of {a} and {b}, then send the result to echo
""", "It echoed {x}. | {x} came back.", draw=_numbers, ability="chain")  # fmt: skip
def sum_then_echo(v: Values) -> Run:
    (text,) = yield call("get-sum", a=int(v["a"]), b=int(v["b"]))
    (back,) = yield call("echo", message=_sum(text))
    return {"x": back.removeprefix("Echo: ")}


@script("everything", """
! add {a} and {b}, then add {c} to the result, one step after the other
= {a} plus {b}, and then that plus {c}, in two steps
""", "{x} | In the end it is {x}.", draw=_numbers, ability="chain")  # fmt: skip
def sum_of_sum(v: Values) -> Run:
    (text,) = yield call("get-sum", a=int(v["a"]), b=int(v["b"]))
    (end,) = yield call("get-sum", a=int(_sum(text)), b=int(v["c"]))
    return {"x": _sum(end)}


SCRIPTS = scripts_of(list(globals().values()))
