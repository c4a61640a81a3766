"""A server of OpenAI's dialect whose vectors are those of the tests' model. PORT and what goes wrong are its arguments."""

import http.server
import json
import math
import os
import signal
import subprocess
import sys
import time

port, state, fault = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def said(name: str) -> None:
    open(os.path.join(state, name), "w").close()


said(f"process-{os.getpid()}")
print("server: it says hello", flush=True)
print(f"server: {fault} {os.environ.get('SERVER_WORD', '')}", file=sys.stderr, flush=True)
if fault == "exits":
    sys.exit(7)
if fault == "never-ready":
    time.sleep(3600)
child = subprocess.Popen(["sleep", "3600"])
said(f"process-{child.pid}")
once = not os.path.exists(os.path.join(state, "happened"))
hoard: list[bytes] = []
asked = 0


def vector(text: str) -> list[float]:
    numbers = [0.1] * 8
    for at, byte in enumerate(text.encode()):
        numbers[(byte + at) % 8] += 1.0
    length = math.sqrt(sum(number * number for number in numbers))
    return [number / length for number in numbers]


def go_wrong() -> None:
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
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.answer(200 if self.path == "/health" else 404, b"{}")

    def do_POST(self) -> None:
        texts = json.loads(self.rfile.read(int(self.headers["content-length"])))["input"]
        if len(texts) == 1:
            go_wrong()
        data = [{"index": index, "embedding": vector(text)} for index, text in enumerate(texts)]
        usage = {"prompt_tokens": 7 * len(texts), "total_tokens": 7 * len(texts)}
        self.answer(200, json.dumps({"data": data, "usage": usage}).encode())


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
