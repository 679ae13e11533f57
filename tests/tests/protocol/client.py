"""Drives a host with the Python MCP client, and prints what came of it as one JSON document.

client.py MODE URL                    over HTTP
client.py MODE COMMAND ARGUMENT...    over stdio

MODE is `auto` or `legacy`, as mcp.Client has it.
"""

import asyncio
import json
import sys

import mcp


def told(result):
    """A tool result as it was on the wire."""
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def main(mode, server, *arguments):
    if arguments:
        server = mcp.StdioServerParameters(command=server, args=list(arguments))
    progress = []

    async def reported(done, total, message):
        progress.append([done, total, message])

    async with mcp.Client(server, mode=mode) as client:
        said = {
            "version": client.protocol_version,
            "server": client.server_info.name,
            "tools": [tool.model_dump(mode="json", by_alias=True) for tool in (await client.list_tools()).tools],
            "answer": told(await client.call_tool("text_stats", {"text": "one two three"})),
            "refusal": told(await client.call_tool("text_stats", {})),
        }
        try:
            await client.call_tool("no_such_tool", {})
        except mcp.MCPError as error:
            said["unknown"] = {"code": error.code, "message": error.message}
        work = {"do": "progress", "amount": 3}
        said["worked"] = told(await client.call_tool("misbehave", work, progress_callback=reported))
        said["progress"] = progress
    print(json.dumps(said))


asyncio.run(main(*sys.argv[1:]))
