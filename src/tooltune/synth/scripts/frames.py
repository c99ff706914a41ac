"""Frames that carry a noun phrase (`= the rows of {table}`) or a task (`! list the rows`).

Together with a program's own phrases they make dozens of phrasing families of a few lines.
"""

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


def expand(families: str) -> str:
    """The lines, those that begin with `=` or `!` put into every frame."""
    lines = []
    for line in filter(None, map(str.strip, families.splitlines())):
        frames = {"= ": NOUN_FRAMES, "! ": TASK_FRAMES}.get(line[:2], "@").strip().split("\n")
        phrase = line[2:] if line[:2] in ("= ", "! ") else line
        lines += [frame.replace("@", phrase) for frame in frames]
    return "\n".join(dict.fromkeys(lines))
