"""Offers mcp-server-time's tools and dies at the first call; speaks the protocol by hand."""

import json
import sys

TIME = {"type": "object", "properties": {"timezone": {"type": "string"}}, "required": ["timezone"]}
TOOLS = [{"name": name, "inputSchema": TIME} for name in ("get_current_time", "convert_time")]
ANSWERS = {
    "initialize": lambda params: {
        "protocolVersion": params["protocolVersion"],
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "dies", "version": "1"},
    },
    "tools/list": lambda params: {"tools": TOOLS},
    "tools/call": lambda params: sys.exit("the battery is empty"),
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
