"""A Hub that lists as many models as one likes, from no memory: ``python -m benchmarks.listing MODELS``.

It answers ``/api/models`` alone, page by page with a cursor. Every third model is gated, the others have no
``config.json``, so that nothing further is asked. It prints its address, and ends when its standard input does.
"""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit


def make_item(number: int) -> dict[str, Any]:
    """A repository as a listing with ``expand`` shows it."""
    files = ["README.md", ".gitattributes", *(f"model-{part:05}-of-00004.safetensors" for part in range(4))]
    gated = number % 3 == 0
    return {
        "_id": f"{number:024x}",
        "id": f"author{number % 5003}/model-number-{number:08}",
        "sha": f"{number:040x}",
        "siblings": [{"rfilename": name} for name in [*files, "config.json" if gated else "adapter_config.json"]],
        "downloads": number % 1000,
        "likes": number % 7,
        "gated": "auto" if gated else False,
        "private": False,
        "disabled": False,
        "tags": ["transformers", "safetensors", "license:mit", f"base_model:author/base-{number % 100}", "region:us"],
        "pipeline_tag": "text-generation",
        "library_name": "peft",
        "createdAt": "2024-05-06T07:08:09.000Z",
        "lastModified": "2024-05-06T07:08:09.000Z",
    }


class ListingServer(ThreadingHTTPServer):
    """Lists ``models`` repositories."""

    daemon_threads = True

    def __init__(self, models: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models = models
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> ListingServer:
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: ListingServer
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        asked = dict(parse_qsl(urlsplit(self.path).query))
        start, limit = int(asked.get("cursor", 0)), int(asked.get("limit", 1000))
        end = min(start + limit, self.server.models)
        body = json.dumps([make_item(number) for number in range(start, end)]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if end < self.server.models:
            kept = [pair for pair in parse_qsl(urlsplit(self.path).query) if pair[0] != "cursor"]
            following = urlencode([*kept, ("cursor", end)])
            self.send_header("Link", f'<{self.server.url}/api/models?{following}>; rel="next"')
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    with ListingServer(int(sys.argv[1])) as server:
        print(server.url, flush=True)
        sys.stdin.read()
