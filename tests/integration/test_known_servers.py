"""Every script on its real server: one conversation each that passes every check.

Environments are not made here, because that takes minutes: kinds whose servers are not installed
are skipped. `tooltune synth --recipe mcp-agent --scale 0.001 --out DIR` installs them.
"""

import random

import pytest

from tooltune.servers.install import is_installed
from tooltune.servers.known import KNOWN
from tooltune.synth.catalogs import make_catalogs
from tooltune.synth.jobs import Job
from tooltune.synth.scripted import ScriptMaker
from tooltune.synth.scripts.every import BY_NAME
from tooltune.worlds.bench import Bench
from tooltune.worlds.kinds import KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_every_script_of_a_kind_gives_a_proved_conversation(kind: str) -> None:
    missing = [name for name in KINDS[kind].servers if not is_installed(KNOWN[name])]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    scripts = [script for script in BY_NAME.values() if script.kind == kind]
    with Bench(kind) as first, Bench(kind) as second:
        catalogs = make_catalogs({kind: first.tools}, seed=1)
        maker = ScriptMaker(kind, "train", [first, second], catalogs, seed=1)
        numbers = random.Random(kind).sample(range(40), 40)
        failed = [
            script.name
            for script in scripts
            if not maker.make(Job(script.ability, numbers[0], script))
        ]
        assert failed == [], maker.output.rejected
    for (row,) in maker.output.rows:
        calls = [message for message in row.messages if message.tool_calls]
        script = BY_NAME[row.meta["program"]]
        assert (len(calls) > 1) == (script.ability == "chain"), script.name
        assert (script.form == "parallel") == any(len(one.tool_calls) > 1 for one in calls)
