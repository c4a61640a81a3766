"""A server of OpenAI's dialect with the vectors of the tests' model.

Its arguments: the port, a folder for its notes, and what goes wrong.
"""

import http.server
import json
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

port, state, fault = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]


def said(name: str) -> None:
    """Leaves a note for the test."""
    (state / name).touch()


said(f"process-{os.getpid()}")
print("server: it says hello", flush=True)
print(f"server: {fault} {os.environ.get('SERVER_WORD', '')}", file=sys.stderr, flush=True)
if fault == "exits":
    sys.exit(7)
if fault == "never-ready":
    time.sleep(3600)
child = subprocess.Popen(["sleep", "3600"])
said(f"process-{child.pid}")
once = not (state / "happened").exists()
hoard: list[bytes] = []
asked = 0


def vector(text: str) -> list[float]:
    """Gives the vector of a text, of length 1."""
    numbers = [0.1] * 8
    for at, byte in enumerate(text.encode()):
        numbers[(byte + at) % 8] += 1.0
    length = math.sqrt(sum(number * number for number in numbers))
    return [number / length for number in numbers]


def go_wrong() -> None:
    """Does what the third argument says, once in all its lives, at the 40th request."""
    global asked
    asked += 1
    if fault == "sound" or not once or asked < 40:
        return
    said("happened")
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "grows":
        hoard.append(b"x" * (300 << 20))
        time.sleep(3600)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers `/health`, and texts with their vectors."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Keeps quiet."""

    def answer(self, status: int, body: bytes) -> None:
        """Sends one answer."""
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Says that it is there."""
        self.answer(200 if self.path == "/health" else 404, b"{}")

    def do_POST(self) -> None:
        """Answers texts."""
        texts = json.loads(self.rfile.read(int(self.headers["content-length"])))["input"]
        if len(texts) == 1:
            go_wrong()
        data = [{"index": index, "embedding": vector(text)} for index, text in enumerate(texts)]
        usage = {"prompt_tokens": 7 * len(texts), "total_tokens": 7 * len(texts)}
        self.answer(200, json.dumps({"data": data, "usage": usage}).encode())


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
