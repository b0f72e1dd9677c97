"""The service of the end-to-end tests, committed as `app.py`; `behaviour.json` beside it says what it does.

Bare sockets, so that it answers a few milliseconds after its start.
"""

import json
import os
import socket
import time

here = os.path.dirname(os.path.abspath(__file__))
with open(f"{here}/behaviour.json", encoding="utf-8") as file:
    behaviour = json.load(file)

mode = behaviour.get("mode", "ok")
seconds = behaviour.get("seconds", 0)
began = time.monotonic()

print(f"{mode} at work", flush=True)
if mode == "dies":
    raise SystemExit(3)

listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 0 if mode == "wrong port" else int(os.environ["PORT"])))
listener.listen(64)
listener.settimeout(0.05)


def answer(path: str) -> tuple[str, str]:
    if path == "/env":
        return "200 OK", json.dumps(dict(os.environ))
    if mode == "500":
        return "500 Internal Server Error", os.environ["FRAISIER_SHA"]
    if mode == "slow" and time.monotonic() - began < seconds:
        return "503 Service Unavailable", "warming up"
    return "200 OK", json.dumps({"sha": os.environ["FRAISIER_SHA"], "pid": os.getpid()})


while True:
    if mode == "dies later" and time.monotonic() - began >= seconds:
        os._exit(4)
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        continue
    with connection:
        connection.settimeout(1)
        try:
            asked = connection.recv(4096).decode(errors="replace").split(" ")
            status, body = answer(asked[1] if len(asked) > 1 else "/")
            connection.sendall(f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode())
        except OSError:
            continue
