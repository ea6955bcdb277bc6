"""A FastAPI application with a prompt in its lifespan: look at it, and change it, as it serves.
Leaving the prompt stops the server, and Ctrl-C at the prompt does not.
Run: pip install fastapi uvicorn, then: python examples/web_app.py [PORT]    (8000 by default)
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

import ipyembed

PORT = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
HEADER = f"""\
The application answers while you type here. Try, with curl in another terminal:

  curl http://127.0.0.1:{PORT}/items/tea      its log comes in above what you type
  items["tea"] = 99
  [route.path for route in app.routes]
  exit                                      stops the server
"""

items = {"tea": 3, "cake": 12}


async def prompt(app: FastAPI) -> None:
    """The prompt; when it is left, the server stops as by Ctrl-C."""
    await ipyembed.embed_async(banner1="", header=HEADER)
    os.kill(os.getpid(), signal.SIGINT)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What FastAPI runs around the serving: the prompt is a task beside it."""
    task = asyncio.create_task(prompt(app))
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.get("/items/{name}")
async def item(name: str) -> dict[str, int | None]:
    """How many there are."""
    return {name: items.get(name)}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="info")
    print("the server has stopped")
