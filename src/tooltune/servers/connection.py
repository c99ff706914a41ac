"""One connection to one tool server: the only file that knows the MCP SDK's client.

What the SDK leaves open is closed here: it sets no time limits, refuses a whole catalog for one bad
tool, reads listings without end and passes on answers of any size.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Literal, Self, TextIO

import anyio
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.types import CallToolResult, EmbeddedResource, TextContent, TextResourceContents
from mcp.types import Tool as ListedTool
from pydantic import ValidationError

from tooltune.jsonl import dump_json
from tooltune.messages import Tool, ToolResult
from tooltune.servers.catalog import to_tool, why_invalid
from tooltune.servers.spec import ServerSpec

RESULT_CHARACTERS = 32_000
"""Longest answer passed on; what is cut off is counted in the text."""
LIST_PAGES = 50
"""Most pages of tools read from one server: the protocol sets no end."""

Mode = Literal["auto", "legacy"]
"""`auto` asks first whether the server speaks the protocol without handshake (2026-07-28);
`legacy` shakes hands at once."""

# A server's junk on its standard output is not the user's concern; without a handler Python would
# print the SDK's report of it, with a traceback, on the terminal.
logging.getLogger("mcp").addHandler(logging.NullHandler())


@asynccontextmanager
async def connect(
    spec: ServerSpec,
    *,
    mode: Mode,
    cwd: Path,
    env: dict[str, str],
    stderr: TextIO,
    left_out: dict[str, str],
) -> AsyncIterator[Client]:
    """Start the process of an expanded spec. Into `left_out` goes, by name, why a listed tool is
    withheld. Raises TimeoutError, OSError where it cannot be run, or the SDK's exception groups."""
    parameters = StdioServerParameters(
        command=spec.command, args=list(spec.args), env={**spec.env, **env}, cwd=cwd
    )
    async with AsyncExitStack() as stack:
        async with asyncio.timeout(spec.timeout_seconds):
            transport = _checked_transport(parameters, stderr, left_out)
            client = await stack.enter_async_context(Client(transport, mode=mode, cache=None))
        yield client


async def list_tools(client: Client, timeout_seconds: float) -> list[Tool]:
    """All pages, in the server's order. Raises TimeoutError, ValueError for too many pages, or the
    SDK's errors."""
    tools: list[Tool] = []
    cursor: str | None = None
    seen = {cursor}
    with anyio.fail_after(timeout_seconds):
        for _ in range(LIST_PAGES):
            page = await client.list_tools(cursor=cursor)
            tools += [to_tool(tool.model_dump(by_alias=True)) for tool in page.tools]
            cursor = page.next_cursor
            if cursor in seen:
                return tools
            seen.add(cursor)
    raise ValueError(f"more than {LIST_PAGES} pages")


async def call_tool(
    client: Client, name: str, arguments: dict[str, Any], timeout_seconds: float
) -> ToolResult:
    """A failing tool is a result. Raises TimeoutError, or ConnectionError if the server is gone."""
    try:
        with anyio.fail_after(timeout_seconds):
            result = await client.call_tool(name, arguments)
    except MCPError as error:
        # The code of a closed connection, -32000, is also any server's own "general error".
        if error.message == "Connection closed":
            raise ConnectionError(error.message) from None
        return ToolResult(content=_cut(f"Error: {error.message}"), is_error=True)
    except (anyio.ClosedResourceError, anyio.BrokenResourceError):
        raise ConnectionError("Connection closed") from None
    except (RuntimeError, ValidationError) as error:
        # The SDK's way to say that the answer breaks the protocol or the tool's own outputSchema.
        return ToolResult(content=_cut(f"Error: {one_line(error)}"), is_error=True)
    return ToolResult(content=_cut(_text(result)), is_error=bool(result.is_error))


def _text(result: CallToolResult) -> str:
    if not result.content and result.structured_content is not None:
        return dump_json(result.structured_content)
    parts = []
    for part in result.content:
        if isinstance(part, TextContent):
            parts.append(_compact(part.text, result.structured_content))
        elif isinstance(part, EmbeddedResource) and isinstance(part.resource, TextResourceContents):
            parts.append(part.resource.text)
        else:
            parts.append(f"[{part.type}: not text, left out]")
    return "\n".join(parts)


def _compact(text: str, structured: Any) -> str:
    """Text that only repeats the structured answer, on one line: indentation costs tokens."""
    if not isinstance(structured, dict | list):
        return text
    try:
        return dump_json(structured) if json.loads(text) == structured else text
    except ValueError:
        return text


def _cut(text: str) -> str:
    if len(text) <= RESULT_CHARACTERS:
        return text
    left_out = len(text) - RESULT_CHARACTERS
    return f"{text[:RESULT_CHARACTERS]}\n[cut: {left_out} more characters]"


def one_line(error: BaseException) -> str:
    """The first cause inside nested exception groups, on one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error).strip().partition("\n")[0] or type(error).__name__


@asynccontextmanager
async def _checked_transport(
    parameters: StdioServerParameters, stderr: TextIO, left_out: dict[str, str]
) -> AsyncIterator[tuple[Any, Any]]:
    async with stdio_client(parameters, errlog=stderr) as (read, write):
        yield _CheckedStream(read, left_out), write


class _CheckedStream:
    """A server's messages, invalid tools taken out of its listings: for one bad tool the SDK would
    refuse all the others."""

    def __init__(self, stream: Any, left_out: dict[str, str]) -> None:
        self._stream = stream
        self._left_out = left_out

    async def receive(self) -> Any:
        return self._checked(await self._stream.receive())

    async def __anext__(self) -> Any:
        return self._checked(await self._stream.__anext__())

    def __aiter__(self) -> Self:
        return self

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *exc: Any) -> Any:
        return await self._stream.__aexit__(*exc)

    def _checked(self, item: Any) -> Any:
        result = getattr(getattr(item, "message", None), "result", None)
        if isinstance(result, dict) and isinstance(result.get("tools"), list):
            result["tools"] = [tool for tool in result["tools"] if self._is_good(tool)]
        return item

    def _is_good(self, tool: Any) -> bool:
        reason = why_invalid(tool)
        if reason is None:
            try:
                ListedTool.model_validate(tool)
            except ValidationError as error:
                reason = f"it breaks the protocol: {error.errors()[0]['msg']}"
        if reason is not None:
            name = tool.get("name") if isinstance(tool, dict) else None
            self._left_out[str(name or "without a name")] = reason
        return reason is None
