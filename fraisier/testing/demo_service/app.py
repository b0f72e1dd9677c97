"""The demo's service: a strawberry stand. What it sells is in `stand.json`; without it, it is ill."""

from __future__ import annotations

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Stand(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        try:
            offer = json.loads(Path("stand.json").read_text(encoding="utf-8"))
            status, text = 200, f"a bowl of strawberries: {offer['price']}"
        except (OSError, ValueError, KeyError) as error:
            status, text = 500, f"stand.json: {error!r}"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Stand).serve_forever()
