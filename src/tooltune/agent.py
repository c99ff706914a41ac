"""A tuned model and running tool servers in one conversation, with a person in between.

The model only proposes: what runs without asking is decided here. Decoding comes in as a callable,
so the loop runs, and is tested, without torch.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from rich.console import Console
from rich.text import Text

from tooltune.chat.complete import Complete
from tooltune.chat.parse import ParseEnd
from tooltune.chat.render import Renderer
from tooltune.data.schema import check_arguments
from tooltune.errors import ServerError
from tooltune.jsonl import dump_json
from tooltune.messages import Message, Tool, ToolCall, ToolResult
from tooltune.servers.client import Servers
from tooltune.servers.spec import read_specs

DENIED = "The user did not allow this call."
SHOWN_LINES = 12
"""Lines of a result shown in the terminal; the model gets all that fits its own limit."""

# Escape sequences could repaint the terminal, right-to-left marks could reorder what it shows: the
# person has to see the call that will really run.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)

End = Literal["done", "calls", "length", "malformed", "context"]


class Toolbox(Protocol):
    """What the agent needs of `servers.client.Servers`."""

    @property
    def tools(self) -> tuple[Tool, ...]: ...
    @property
    def server_of(self) -> dict[str, str]: ...
    def call(self, name: str, arguments: dict[str, object]) -> ToolResult: ...


class Face(Protocol):
    """How the agent shows what it does, and asks."""

    def show_call(self, call: ToolCall, server: str) -> None: ...
    def show_result(self, result: ToolResult) -> None: ...
    def allows(self, call: ToolCall) -> bool:
        """Ask whether to run a call that may change something."""


@dataclass(frozen=True, slots=True)
class Limits:
    calls: int = 8
    """Most calls carried out for one request."""
    new_tokens: int = 512
    """Longest turn of the model."""
    context_tokens: int = 2048
    """Longest prompt; the oldest exchanges are forgotten to stay below it."""
    result_characters: int = 4000
    """Most of one result that the model gets to read."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`end` says why the model's work on the request ended: `done`, or a limit or broken call."""

    text: str
    calls: tuple[tuple[ToolCall, ToolResult], ...]
    end: End


@dataclass(slots=True)
class Agent:
    """`Agent(...).answer("Which branch am I on?")`; earlier exchanges are remembered."""

    renderer: Renderer
    complete: Complete
    toolbox: Toolbox
    face: Face
    trusted: frozenset[str] = frozenset()
    """Servers whose word counts when they call a tool read-only."""
    system: str = ""
    """The system text the model was trained with."""
    limits: Limits = Limits()
    messages: list[Message] = field(default_factory=list)

    def answer(self, request: str) -> Reply:
        """Let the model work on a request until it answers or a limit is reached. After an
        exception, Ctrl-C included, the conversation stands as before the request."""
        length = len(self.messages)
        try:
            self.messages.append(Message(role="user", content=request))
            return self._work()
        except BaseException:
            del self.messages[length:]
            raise

    def _work(self) -> Reply:
        done: list[tuple[ToolCall, ToolResult]] = []
        while True:
            prompt = self._prompt()
            if prompt is None:
                return Reply("", tuple(done), "context")
            completion = self.complete(
                [prompt],
                max_new_tokens=self.limits.new_tokens,
                stop_token_ids=self.renderer.stop_token_ids,
            )[0]
            parsed = self.renderer.parse(completion.tokens)
            if parsed.end is not ParseEnd.STOP or not parsed.calls:
                # Nothing of a cut or malformed turn is run: its calls may not be what was meant.
                self.messages.append(Message(role="assistant", content=parsed.text))
                ends: dict[ParseEnd, End] = {
                    ParseEnd.STOP: "done",
                    ParseEnd.LENGTH: "length",
                    ParseEnd.MALFORMED: "malformed",
                }
                return Reply(parsed.text, tuple(done), ends[parsed.end])
            room = self.limits.calls - len(done)
            calls = self._take_turn(parsed.text, parsed.calls[:room])
            done += calls
            if len(done) >= self.limits.calls:
                return Reply(parsed.text, tuple(done), "calls")

    def _take_turn(self, text: str, calls: Sequence[ToolCall]) -> list[tuple[ToolCall, ToolResult]]:
        start = len(self.messages)
        numbered = tuple(
            call.model_copy(update={"id": f"call_{start}_{index}"})
            for index, call in enumerate(calls)
        )
        self.messages.append(Message(role="assistant", content=text, tool_calls=numbered))
        done = []
        for call in numbered:
            result = self._run(call)
            content = cut(result.content, self.limits.result_characters)
            self.messages.append(Message(role="tool", content=content, tool_call_id=call.id))
            done.append((call, result))
        return done

    def _run(self, call: ToolCall) -> ToolResult:
        server = self.toolbox.server_of.get(call.name, "")
        self.face.show_call(call, server)
        result = self._execute(call, server)
        self.face.show_result(result)
        return result

    def _execute(self, call: ToolCall, server: str) -> ToolResult:
        tool = next((tool for tool in self.toolbox.tools if tool.name == call.name), None)
        if tool is None:
            return ToolResult(content=f"Unknown tool: {call.name}", is_error=True)
        if problems := check_arguments(tool, call.arguments):
            return ToolResult(content=f"Invalid arguments: {'; '.join(problems)}", is_error=True)
        is_harmless = tool.read_only is True and server in self.trusted
        if not is_harmless and not self.face.allows(call):
            return ToolResult(content=DENIED, is_error=True)
        try:
            return self.toolbox.call(call.name, call.arguments)
        except ServerError as error:
            return ToolResult(content=str(error), is_error=True)

    def _prompt(self) -> list[int] | None:
        """Tokens of as much of the conversation as fits, the last request at least, or None."""
        opening = [Message(role="system", content=self.system)] if self.system else []
        starts = [i for i, message in enumerate(self.messages) if message.role == "user"]
        for start in starts:
            prompt = self.renderer.prompt([*opening, *self.messages[start:]], self.toolbox.tools)
            if len(prompt) <= self.limits.context_tokens:
                return prompt
        return None


def cut(text: str, most_characters: int) -> str:
    """The beginning of a long text, with a word on how much is missing."""
    if len(text) <= most_characters:
        return text
    return f"{text[:most_characters]}\n[cut: {len(text) - most_characters} more characters]"


def printable(text: str) -> str:
    """Untrusted text as a terminal may show it."""
    return _UNPRINTABLE.sub("\ufffd", text)


@dataclass(slots=True)
class Terminal:
    """The face in a terminal. Where nobody can be asked, everything that asks is denied."""

    console: Console
    is_interactive: bool
    always: set[str] = field(default_factory=set)
    """Tools the person has allowed for the rest of the session."""

    def show_call(self, call: ToolCall, server: str) -> None:
        line = f"{server or '?'}: {call.name} {dump_json(call.arguments)}"
        self.console.print(Text(printable(line), style="cyan"))

    def show_result(self, result: ToolResult) -> None:
        lines = printable(result.content).rstrip().split("\n")
        if len(lines) > SHOWN_LINES:
            lines[SHOWN_LINES:] = [f"... {len(lines) - SHOWN_LINES} more lines"]
        style = "red" if result.is_error else "dim"
        self.console.print(Text("\n".join(f"  {line}" for line in lines), style=style))

    def allows(self, call: ToolCall) -> bool:
        if call.name in self.always:
            return True
        if not self.is_interactive:
            return False
        question = Text(f"Run {printable(call.name)}? [y]es, [a]lways, [N]o: ", style="bold")
        try:
            answer = self.console.input(question).strip().lower()
        except EOFError:
            return False
        if answer in ("a", "always"):
            self.always.add(call.name)
        return answer in ("y", "yes", "a", "always")

    def requests(self) -> Iterator[str]:
        """What the person types, until the end of the input, Ctrl-C or `exit`."""
        while True:
            try:
                line = self.console.input("> " if self.is_interactive else "").strip()
            except (EOFError, KeyboardInterrupt):
                return
            if line in ("exit", "quit"):
                return
            if line:
                yield line


_ENDS: dict[End, str] = {
    "calls": "Stopped: the limit of calls for one request is reached.",
    "length": "Stopped: the model's turn was too long.",
    "malformed": "Stopped: the model wrote a call that cannot be read.",
    "context": "Stopped: the request and its results are too long for the model.",
}


def chat(
    config: Path,
    *,
    renderer: Renderer,
    complete: Complete,
    system: str = "",
    limits: Limits = Limits(),
    console: Console | None = None,
) -> None:
    """Start the servers of an `mcp.json` where we are and talk until the input ends."""
    console = console or Console(highlight=False)
    specs = read_specs(config)
    face = Terminal(console, is_interactive=sys.stdin.isatty() and console.is_terminal)
    with Servers(specs.values()) as servers:
        for problem in servers.problems:
            console.print(Text(printable(problem), style="yellow"))
        trusted = frozenset(name for name, spec in specs.items() if spec.trusted)
        agent = Agent(
            renderer, complete, servers, face, trusted=trusted, system=system, limits=limits
        )
        console.print(Text(f"{len(servers.tools)} tools. End with Ctrl-D.", style="dim"))
        for request in face.requests():
            try:
                reply = agent.answer(request)
            except KeyboardInterrupt:
                console.print(Text("Interrupted.", style="yellow"))
                continue
            console.print(Text(printable(reply.text)))
            if reply.end != "done":
                console.print(Text(_ENDS[reply.end], style="yellow"))
