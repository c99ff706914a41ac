"""A tool server that lists broken tools between two good ones; speaks the protocol by hand."""

import json
import sys

TOOLS = [
    {"name": "first", "inputSchema": {"type": "object", "properties": {"title": {"title": "T"}}}},
    {"name": "no_schema", "inputSchema": {}},
    {"name": "list_schema", "inputSchema": {"type": "array"}},
    {
        "name": "wrong_type",
        "inputSchema": {"type": "object", "properties": {"n": {"type": "integr"}}},
    },
    {
        "name": "wrong_output",
        "inputSchema": {"type": "object"},
        "outputSchema": {"type": "object", "required": "all"},
    },
    {"name": "has space", "inputSchema": {"type": "object"}},
    {"name": "wrong_hints", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": []}},
    {"inputSchema": {"type": "object"}},
    {"name": "last", "inputSchema": {"type": "object"}},
]
ANSWERS = {
    "initialize": lambda params: {
        "protocolVersion": params["protocolVersion"],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "bad_schema", "version": "1"},
    },
    "tools/list": lambda params: {"tools": TOOLS},
    "tools/call": lambda params: {"content": [{"type": "text", "text": f"{params['name']} ran"}]},
}

for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    if answer := ANSWERS.get(message["method"]):
        body = {"result": answer(message.get("params", {}))}
    else:
        body = {"error": {"code": -32601, "message": "Method not found"}}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **body}), flush=True)
