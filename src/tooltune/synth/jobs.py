"""What is to be made of a script, a row or a pair of twins, and what came of it."""

from collections import Counter
from dataclasses import dataclass, field

from tooltune.messages import Conversation
from tooltune.synth.follow_ups import FollowUp
from tooltune.synth.scripts.dangers import Risk
from tooltune.synth.scripts.script import Script

PURPOSES = {
    "store": "a database", "graph": "a knowledge graph", "files": "files and folders",
    "desk": "git repositories and their files", "web": "web pages", "sums": "sums and clocks",
    "sheets": "Excel workbooks", "registers": "keeping a register",
    "everything": "trying out the protocol",
}  # fmt: skip
"""What the tools of a kind of world are for, as an answer says it."""


@dataclass(frozen=True, slots=True)
class Job:
    """A row to make, or a pair of twins. `ability` is that of the row asked for."""

    ability: str
    number: int
    script: Script
    slot: str = ""
    """Of an `ask` row: the value the user forgets."""
    risk: Risk | None = None
    wording: str = ""
    """Of a `refuse` row: the wording of its harmless twin."""
    stranger: str = ""
    """Of a `talk` row: the kind of world whose tools are shown though they cannot do it."""
    follow_up: FollowUp | None = None

    @property
    def name(self) -> str:
        """Part of the ids of its rows."""
        parts = (
            self.follow_up.name if self.follow_up else self.script.name,
            self.slot,
            self.risk.name if self.risk else "",
            self.stranger,
        )
        return "-".join(filter(None, parts))


@dataclass(slots=True)
class Output:
    """What one kind of world gave for one split."""

    rows: list[list[Conversation]] = field(default_factory=list)
    """Twins stand together."""
    rejected: Counter[str] = field(default_factory=Counter)
    teacher: Counter[str] = field(default_factory=Counter)
    """What became of the requests a teacher was asked to rewrite."""
    by_script: dict[str, Counter[str]] = field(default_factory=dict)
