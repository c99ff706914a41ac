"""Programs with the calculator, and with clocks beside it."""

import json
import random
import re

from tooltune.synth.draw import Values
from tooltune.synth.scripts.script import Call, Run, call, need, script, scripts_of
from tooltune.worlds import pools, values
from tooltune.worlds.kinds import Bare


def calculate(expression: str) -> Call:
    return call("calculate", expression=expression)


def _number(rng: random.Random) -> str:
    return str(rng.randint(11, 989)) if rng.random() < 0.7 else f"{rng.randint(2, 99)}.{5}"


def _numbers(bare: Bare) -> Values:
    rng = bare.rng
    return {"a": _number(rng), "b": _number(rng), "c": str(rng.randint(2, 40)),
            "thing": rng.choice(values.THINGS[bare.world.split])}  # fmt: skip


def _clock(bare: Bare) -> Values:
    first, second = bare.rng.sample(pools.ZONES[bare.world.split], 2)
    minute = bare.rng.choice(pools.MINUTES[bare.world.split])
    return {"zone": first, "other": second, "time": f"{bare.rng.randint(0, 23):02}:{minute}",
            "c": str(bare.rng.randint(2, 9))}  # fmt: skip


@script("sums", """
what is {a} plus {b}?
= the sum of {a} and {b}
! add {a} and {b}
{a} + {b}?
""", "{x} | It is {x}.", draw=_numbers)  # fmt: skip
def add(v: Values) -> Run:
    (text,) = yield calculate(f"{v['a']} + {v['b']}")
    return {"x": text}


@script("sums", """
what is {a} minus {b}?
= the difference {a} minus {b}
! subtract {b} from {a}
{a} - {b}?
""", "{x} | It is {x}.", draw=_numbers)  # fmt: skip
def subtract(v: Values) -> Run:
    (text,) = yield calculate(f"{v['a']} - {v['b']}")
    return {"x": text}


@script("sums", """
what is {a} times {c}?
= the product of {a} and {c}
! multiply {a} by {c}
what do {c} of the {thing} cost at {a} each? It is {a} * {c}
""", "{x} | It is {x}.", draw=_numbers)  # fmt: skip
def multiply(v: Values) -> Run:
    (text,) = yield calculate(f"{v['a']} * {v['c']}")
    return {"x": text}


@script("sums", """
what is {a} divided by {c}?
= {a} divided by {c}
! divide {a} by {c}
! split {a} into {c} equal parts
""", "{x} | It is {x}.", draw=_numbers)  # fmt: skip
def divide(v: Values) -> Run:
    (text,) = yield calculate(f"{v['a']} / {v['c']}")
    return {"x": text}


@script("sums", """
what is {a} plus {b}, times {c}?
= the result of ({a} + {b}) * {c}
! add {a} and {b} and multiply the sum by {c}
""", "{x} | It is {x}.", draw=_numbers)  # fmt: skip
def add_multiply(v: Values) -> Run:
    (text,) = yield calculate(f"({v['a']} + {v['b']}) * {v['c']}")
    return {"x": text}


@script("sums", """
what is the mean of {a}, {b} and {c}? There are 3 of them
= the mean of the 3 numbers {a}, {b} and {c}
! average the 3 numbers {a}, {b}, {c}
""", "{x} | The mean is {x}.", draw=_numbers)  # fmt: skip
def mean(v: Values) -> Run:
    (text,) = yield calculate(f"({v['a']} + {v['b']} + {v['c']}) / 3")
    return {"x": text}


@script(
    "sums",
    """
what are {a} plus {b} and {a} times {c}?
= two results: {a} plus {b}, and {a} times {c}
! compute both {a} plus {b} and {a} times {c}
""",
    "{x} and {y}. | The sum is {x}, the product {y}.",
    draw=_numbers,
    form="parallel",
)
def two_sums(v: Values) -> Run:
    first, second = yield [calculate(f"{v['a']} + {v['b']}"), calculate(f"{v['a']} * {v['c']}")]
    return {"x": first, "y": second}


@script("sums", """
! add {a} and {b}, then divide what you get by {c}; two separate steps
! calculate {a} + {b} first and then, in a second step, that result divided by {c}
""", "{y} | The end result is {y}.", draw=_numbers, ability="chain")  # fmt: skip
def add_then_divide(v: Values) -> Run:
    (text,) = yield calculate(f"{v['a']} + {v['b']}")
    need(re.fullmatch(r"-?[\d.]+", text.strip()))
    (result,) = yield calculate(f"{text.strip()} / {v['c']}")
    return {"y": result}


@script("sums", """
= {a} divided by zero, written {a} / 0
what is {a} / 0?
! compute {a} / 0
""", "That cannot be computed: division by zero. | There is no result, dividing by zero fails.",
draw=_numbers, form="recovery")  # fmt: skip
def divide_by_zero(v: Values) -> Run:
    (text,) = yield calculate(f"{v['a']} / 0")
    need("zero" in text)
    return {"x": text}


@script("sums", """
how many minutes are {c} hours, that is {c} * 60? And what time is it in {zone}?
! do two things: compute {c} * 60 and look up the time in {zone}
= the result of {c} * 60 and the time in {zone}
""", "{x} minutes, and it is {y} in {zone}. | {x}; in {zone} it is {y}.",
draw=_clock, form="parallel")  # fmt: skip
def sum_and_time(v: Values) -> Run:
    first, second = yield [calculate(f"{v['c']} * 60"),
                           call("get_current_time", timezone=v["zone"])]  # fmt: skip
    return {"x": first, "y": json.loads(second)["datetime"][11:16]}


@script("sums", """
how many minutes after midnight is {time} {zone} in {other}? First convert, then compute hours * 60
! convert {time} from {zone} to {other}, then compute that hour * 60
""", "{y} | It makes {y}.", draw=_clock, ability="chain")  # fmt: skip
def convert_then_multiply(v: Values) -> Run:
    (text,) = yield call("convert_time", source_timezone=v["zone"], time=v["time"],
                         target_timezone=v["other"])  # fmt: skip
    hour = json.loads(text)["target"]["datetime"][11:13]
    (result,) = yield calculate(f"{int(hour)} * 60")
    need(hour[0] != "0")
    return {"y": result}


SCRIPTS = scripts_of(list(globals().values()))
