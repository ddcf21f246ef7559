"""Python's `websockets`, driven as ws.mjs is: JSON on standard input, what it sees on standard output."""

import asyncio
import json
import sys

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

pending = set()


def tell(saw, **rest):
    print(json.dumps({"saw": saw, **rest}), flush=True)


def in_background(work):
    task = asyncio.ensure_future(work)
    pending.add(task)
    task.add_done_callback(pending.discard)


async def listen(socket):
    try:
        async for message in socket:
            if isinstance(message, str):
                tell("text", text=message)
            else:
                tell("binary", size=len(message))
    except ConnectionClosed:
        pass
    # What the peer's frame said; 1006 when there was none.
    frame = socket.protocol.close_rcvd
    tell("close", code=frame.code if frame else 1006, reason=frame.reason if frame else "")


async def ping(socket, text):
    await (await socket.ping(text))
    tell("pong", text=text)


async def send(socket, command):
    match command["act"]:
        case "text":
            await socket.send(command["text"])
        case "fragments":
            await socket.send(command["parts"])
        case "binary":
            await socket.send(bytes(command["size"]))
        case "invalid":
            await socket.send(b'"\xc3\x28"', text=True)
        case "ping":
            in_background(ping(socket, command["text"]))
        case "flood":
            for _ in range(command["times"]):
                await socket.send(command["text"])
        case "close":
            await socket.close()


async def main():
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader(limit=2**24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    socket = None
    while line := await lines.readline():
        command = json.loads(line)
        try:
            if command["act"] == "open":
                headers = command.get("headers", {})
                socket = await connect(
                    command["url"], additional_headers=headers, ping_interval=None, max_size=None, proxy=None
                )
                tell("open")
                in_background(listen(socket))
            else:
                await send(socket, command)
        except InvalidStatus as refusal:
            tell("refused", status=refusal.response.status_code)
        except ConnectionClosed:
            pass


asyncio.run(main())
