"""A relay between a page and Ollama as many write it: FastAPI, uvicorn and the package `ollama`.

It finds no passages and cites nothing: what it costs is the relaying alone. Prints its address.
"""

import os
import socket
from collections.abc import AsyncIterator

import httpx
import ollama
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from pydantic import BaseModel


class Question(BaseModel):
    """What the page sends."""

    prompt: str


app = FastAPI()
# Its default of 100 connections would let the others wait.
client = ollama.AsyncClient(os.environ["OLLAMA_HOST"], limits=httpx.Limits(), trust_env=False)


async def relay(prompt: str) -> AsyncIterator[str]:
    """The model's parts, a line each."""
    messages = [{"role": "user", "content": prompt}]
    async for part in await client.chat(model="llama3.1:8b", messages=messages, stream=True):
        yield part.model_dump_json(exclude_none=True) + "\n"


@app.post("/")
async def answer(question: Question) -> StreamingResponse:
    """Stream an answer."""
    return StreamingResponse(relay(question.prompt), media_type="application/x-ndjson")


def main() -> None:
    """Serve on a free port of loopback."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    print("http://{}:{}".format(*listening.getsockname()), flush=True)
    server.run([listening])


if __name__ == "__main__":
    main()
