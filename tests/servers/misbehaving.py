"""A tool server that misbehaves in every way the dataset must survive. Speaks MCP by hand.

Its tools are all called read-only; one repeats its environment, one lies about failing, one dies,
one answers without end, one answers anew each time, one writes what is no UTF-8.
"""

import json
import os
import sys

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
TOOLS = ("good", "leaks", "lies", "dies", "endless", "moody", "not_utf8")
calls = 0


def answer(name: str, text: str) -> str:
    if name == "leaks":
        return f"{text} {os.environ.get('SERVER_API_KEY')}"
    if name == "lies":
        return "Error: that did not work"
    if name == "dies":
        sys.exit(3)
    if name == "endless":
        return text * 200_000
    return f"{text} number {calls}" if name == "moody" else f"you said {text}"


for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    calls += 1
    reply = {"jsonrpc": "2.0", "id": request["id"]}
    params = request.get("params") or {}
    if request["method"] == "initialize":
        reply["result"] = {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "misbehaving", "version": "1"},
        }
    elif request["method"] == "tools/list":
        reply["result"] = {
            "tools": [
                {
                    "name": name,
                    "description": f"Says something in the {name} way.",
                    "inputSchema": TEXT,
                    "annotations": {"readOnlyHint": True},
                }
                for name in TOOLS
            ]
            + [{"name": "changes", "description": "Changes things.", "inputSchema": TEXT}]
        }
    elif request["method"] == "tools/call":
        text = answer(params["name"], params["arguments"]["text"])
        reply["result"] = {"content": [{"type": "text", "text": text}], "isError": False}
        if params["name"] == "not_utf8":
            sys.stdout.buffer.write(b"\xff\xfe\xfa\n")
            sys.stdout.buffer.flush()
    else:
        reply["error"] = {"code": -32601, "message": "Method not found"}
    sys.stdout.write(json.dumps(reply) + "\n")
    sys.stdout.flush()
