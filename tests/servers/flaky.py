"""A tool server that misbehaves as its argument says; speaks the protocol by hand, no SDK.

Tools: `echo(text)`, `wait(seconds)`, `die()`, `refuse()`, `lie()` (breaks its own outputSchema),
`shout(characters)`, `count()` (how often this process was asked to count).
"""

import json
import signal
import sys
import time

MODE = sys.argv[1] if len(sys.argv) > 1 else "well"
TOOLS = ["echo", "wait", "die", "refuse", "lie", "shout", "count"]
count = 0


def main() -> None:
    if MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        if MODE == "silent":
            continue
        message = json.loads(line)
        if "id" in message:
            answer(message)
    while MODE == "stubborn":
        signal.pause()


def answer(message: dict) -> None:
    method, params = message["method"], message.get("params", {})
    if method == "server/discover":
        if MODE == "exits-on-discover":
            sys.exit("what is server/discover?")
        if MODE != "silent-on-discover":
            send(message, error={"code": -32601, "message": "Method not found"})
    elif method == "initialize":
        if MODE == "chatty":
            print("Starting up, please wait...", flush=True)
            print("flaky: INFO: started", file=sys.stderr, flush=True)
        info = {"name": "flaky", "version": "1"}
        version = params["protocolVersion"]
        capabilities = {"tools": {}}
        send(
            message, {"protocolVersion": version, "capabilities": capabilities, "serverInfo": info}
        )
    elif method == "tools/list":
        send(message, listing(params.get("cursor")))
    elif method == "tools/call":
        call(message, params["name"], params.get("arguments", {}))
    else:
        send(message, {})


def listing(cursor: str | None) -> dict:
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS]
    tools[TOOLS.index("lie")]["outputSchema"] = {
        "type": "object",
        "properties": {"truth": {"type": "boolean"}},
        "required": ["truth"],
    }
    if MODE == "endless":
        return {"tools": [], "nextCursor": str(int(cursor or 0) + 1)}
    if MODE == "circular" and cursor is None:
        return {"tools": tools[:3], "nextCursor": "b"}
    if MODE == "circular":
        return {"tools": tools[3:], "nextCursor": "b"}
    return {"tools": tools}


def call(message: dict, name: str, arguments: dict) -> None:
    global count
    if name == "die":
        sys.exit("out of luck")
    if name == "refuse":
        send(message, error={"code": -32603, "message": "not today"})
        return
    if name == "wait":
        time.sleep(arguments["seconds"])
    if name == "count":
        count += 1
    texts = {
        "echo": str(arguments.get("text")),
        "shout": "A" * arguments.get("characters", 0),
        "count": str(count),
    }
    result = {"content": [{"type": "text", "text": texts.get(name, "done")}]}
    if name == "lie":
        result["structuredContent"] = {"truth": "maybe"}
    send(message, result)


def send(message: dict, result: dict | None = None, error: dict | None = None) -> None:
    body = {"error": error} if error else {"result": result}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **body}), flush=True)


if __name__ == "__main__":
    main()
