"""Frames that carry a noun phrase (`= the rows of {table}`) or a task (`! list the rows`).

Together with a program's own phrases they make dozens of phrasing families of a few lines.
"""

import zlib
from collections.abc import Mapping
from functools import cache

from tooltune.synth.grammar import Family, normalise
from tooltune.worlds.pools import Split

TEST_SHARE, VALIDATION_SHARE = 0.14, 0.07

NOUN_FRAMES = """
show me @
give me @
tell me @
get me @
find out @
look up @
check @
report @
fetch @
I need @
I'd like to see @
I want to know @
Let me see @
Can I see @?
Can I have @?
Do you have @?
What about @?
Could you look up @?
Would you mind telling me @?
I was wondering about @
I'm looking for @
My colleague is asking for @
The report still lacks @, could you get it?
@, please
@?
Only @, nothing else
Quick question: what would @ be?
For my notes I need @
Someone has to tell me @
You can find out @, right?
Before I go home I must know @
I forgot @
Next up: @
Remind me of @
"""

TASK_FRAMES = """
@
@ please
Can you @?
Could you @?
Please @
I need you to @
I want you to @
I'd like you to @
Would you @?
We have to @
It's time to @
Go ahead and @
Next task: @
Your job now: @
One thing is left: @
Help me @
Let's @
Don't forget to @
My boss asked us to @
As agreed, @
I can't do it myself, so @
If possible, @
@ now
@ for me
@ and tell me when it is done
You should @
I'd be glad if you could @
"""


FRAMES = {"= ": NOUN_FRAMES, "! ": TASK_FRAMES}


def expand(families: str, every_frame: Mapping[str, str] = FRAMES) -> str:
    """The lines, those that begin with a mark such as `=` or `!` put into each of its frames."""
    lines = []
    for line in filter(None, map(str.strip, families.splitlines())):
        frames = every_frame.get(line[:2], "@").strip().split("\n")
        phrase = line[2:] if line[:2] in every_frame else line
        lines += [frame.replace("@", phrase) for frame in frames]
    return "\n".join(dict.fromkeys(lines))


@cache
def families_of(program: str, lines: str) -> dict[Split, tuple[Family, ...]]:
    """Whole families by split, after a hash of the wording: two programs that share one agree."""
    parts: dict[Split, list[Family]] = {"train": [], "validation": [], "test": []}
    for line in lines.splitlines():
        place = (zlib.crc32(f"split {normalise(line)}".encode()) % 1000) / 1000
        split: Split = "train"
        if place < TEST_SHARE + VALIDATION_SHARE:
            split = "test" if place < TEST_SHARE else "validation"
        parts[split].append(Family(program, line))
    # A program with few families still has some in each split: the first ones, by hash.
    for split in ("test", "validation"):
        if not parts[split] and len(parts["train"]) > 2:
            parts["train"].sort(key=lambda family: zlib.crc32(family.text.encode()))
            parts[split].append(parts["train"].pop())
    return {split: tuple(part) for split, part in parts.items()}
