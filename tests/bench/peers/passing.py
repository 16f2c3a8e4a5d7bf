"""The least that a relay on aiohttp does: a model's lines are passed on as they come, and not looked at.

Prints its address.
"""

import asyncio
import os

from aiohttp import ClientSession, TCPConnector, web

PART = {"model": "llama3.1:8b", "stream": True}


async def serve() -> None:
    """Serve on a free port of loopback until the program is ended."""
    async with ClientSession(connector=TCPConnector(limit=0, force_close=True)) as session:

        async def answer(request: web.Request) -> web.StreamResponse:
            question = (await request.json())["prompt"]
            body = {**PART, "messages": [{"role": "user", "content": question}]}
            response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
            await response.prepare(request)
            async with session.post(f"{os.environ['OLLAMA_HOST']}/api/chat", json=body) as parts:
                async for line in parts.content:
                    await response.write(line)
            await response.write_eof()
            return response

        app = web.Application()
        app.router.add_post("/", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print("http://{}:{}".format(*runner.addresses[0][:2]), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
