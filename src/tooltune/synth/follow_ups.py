"""Second requests that lean on a first one: `and in notes/old?`, `now its size, please`.

Both run in one sandbox, one after the other. What the second request does not say, the first has
fixed: a value (`its`), or what is to be done (`and notes/old?`). Wordings in the form of
`synth.scripts.script`, with frames of their own; `+ {path}` is the same question about another one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from tooltune.synth.draw import Values
from tooltune.synth.scripts.every import BY_NAME
from tooltune.synth.scripts.frames import expand
from tooltune.synth.scripts.script import Script, need

_OTHER = """
and @?
and for @?
what about @?
and what about @?
how about @?
now @
now the same for @
the same for @, please
and the same for @?
do that for @ too
@ as well, please
and now for @
then @, please
ok, and @?
thanks, now @
once more for @
repeat that for @
what do you get for @?
same question for @
and if you take @?
then there is @, same thing
good, next is @
continue with @
@ too, please
"""
_NOUN = """
and @?
what about @?
and also @, please
now @, please
I also need @
give me @ too
could I see @ too?
then show me @
next I need @
and what is @?
thanks, now @
@ as well, please
one more thing: @
tell me @ too
and can you look up @?
do you have @ too?
"""
_TASK = """
now @
then @
and @
also @
next, @
good, now @
thanks, now @
ok, @
after that, @
while you are at it, @
can you @ too?
could you also @?
one more thing: @
and then please @
now please @
"""
_CATALOG = ("domain", "noun", "plural", "choice", "id_name", "first")
_FRAMES = {"+ ": _OTHER, "= ": _NOUN, "! ": _TASK}


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Two scripts of one kind of world and the wordings of the second request."""

    first: str
    second: str
    families: str
    kept: tuple[str, ...] = ()
    """Slots of the second that have the first one's values and are not said again."""
    scope: Callable[[Any, Values], Any] = lambda scene, first: scene
    """Narrows the scene for the second's draw to what the first was about."""

    @property
    def needed(self) -> tuple[str, ...]:
        """Kept slots that name a thing of the world and not a word of the catalog."""
        return tuple(slot for slot in self.kept if slot not in _CATALOG)

    @property
    def name(self) -> str:
        return f"{self.first}_and_{'again' if self.first == self.second else self.second}"

    @property
    def script(self) -> Script:
        """The second one."""
        found: Script = BY_NAME[self.second]
        return found

    @property
    def kind(self) -> str:
        return self.script.kind

    def draw(self, scene: Any, first: Values) -> Values:
        """The second request's values. Raises NothingToDrawError where it would ask the same."""
        drawn = self.script.draw(self.scope(scene, first))
        values = {**drawn, **{slot: first[slot] for slot in self.kept}}
        need(self.first != self.second or values != first)
        return values


def _again(name: str, slot: str, *kept: str, **more: Any) -> FollowUp:
    """The same question about another `slot`."""
    return FollowUp(name, name, expand(f"+ {{{slot}}}", _FRAMES), kept, **more)


def _then(first: str, second: str, lines: str, *kept: str) -> FollowUp:
    return FollowUp(first, second, expand(lines, _FRAMES), kept)


def _same_domain(scene: Any, first: Values) -> Any:
    own = tuple(one for one in scene.domains if one.name == first["domain"])
    return replace(scene, domains=own)


FOLLOW_UPS = (
    _again("describe_table", "table"),
    _again("count_rows", "table"),
    _again("list_sheets", "book"),
    _again("read_cell", "cell", "book", "sheet"),
    _again("open_node", "who"),
    _again("read_text", "path"),
    _again("list_folder_entries", "folder"),
    _again("branches", "repo"),
    _again("shell_count", "path"),
    _again("fetch_page", "url"),
    _again("get_record", "id", *_CATALOG, scope=_same_domain),
    _then("describe_table", "count_rows", "= its number of rows\n! count its rows", "table"),
    _then("count_rows", "all_rows", "= all of them\n! list them all", "table"),
    _then("highest", "average", "= the average of that column\n! average that column",
          "table", "column"),
    _then("read_sheet", "used_range", "= its used range\n! describe that sheet", "book", "sheet"),
    _then("read_cell", "add_note",
          '! attach the note "{text}" to it\n! note on that cell: {text}', "book", "sheet", "cell"),
    _then("open_node", "add_fact", "! note that this one also {fact}\n! add to that entry: {fact}",
          "who"),
    _then("list_folder_entries", "list_sizes", "= their sizes\n! list them with their sizes",
          "folder"),
    _then("read_text", "file_info", "= its size\n! look up the size of that file", "path"),
    _then("branches", "diff_unstaged",
          "= the unstaged changes there\n! show me what is changed there but not staged", "repo"),
    _then("get_record", "set_choice", "! set its {choice} to {new}\n! make its {choice} {new}",
          *_CATALOG, "id"),
)  # fmt: skip
