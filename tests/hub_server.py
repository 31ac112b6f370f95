"""A Hugging Face Hub on loopback: what it answers is what the Hub answers, and it breaks where it is told to.

Listing with ``expand`` and keyset cursors, model info, the two hops of ``/resolve``, ETags, error headers, rate limits,
renames by redirect. Every request is written down in :attr:`HubServer.requests`. Faults are put in with
:meth:`HubServer.break_next`.
"""

from __future__ import annotations

import gzip
import json
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

from tests.hub_wire import (
    EXPANDABLE,
    LISTED_BY_DEFAULT,
    Fault,
    Reply,
    Repo,
    Request,
    break_reply,
    make_cursor,
    make_error,
    make_etag,
    make_missing,
    read_cursor,
    select_fields,
)


class HubServer:
    """Runs in a thread between ``with`` and its end; change :attr:`repos` and the rest at any time."""

    def __init__(self, certificate: Path | None = None) -> None:
        """With ``certificate`` (a PEM file with its key) it speaks TLS."""
        self.repos: dict[str, Repo] = {}
        self.renames: dict[str, str] = {}  #: old id (in lower case) to new id
        self.tokens: dict[str, set[str]] = {}  #: token to the gated and private repositories that it may read
        self.requests: list[Request] = []
        self.quota: dict[str, int] = {"api": 100_000, "resolvers": 100_000}
        self.window = 300.0  #: seconds of a rate limit's window
        self.latency = 0.0  #: seconds added to every answer
        self.has_resolve_cache = True
        self.links_to = ""  #: host of the links to the next page; the server itself when empty, none at all when "-"
        self.links_hold: set[str] = set()  #: parameters that links to the next page repeat; all, when empty
        self.largest_page = 1000  #: models that a page of a listing holds at most
        self.hidden: set[str] = set()  #: headers that are not sent
        self.retry_after = ""  #: sent with errors when not empty
        self.links_in_circle = False  #: the next page of a listing is always the page itself
        self.chaos: Callable[[str], Fault | None] = lambda target: None  #: a fault for a path and query, now and then
        self.is_dead = False  #: every connection is reset
        self.old_cursors = True  #: whether cursors are taken at all
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._used: dict[str, int] = {}
        self.refused = 0  #: requests that were answered with 429 because the quota was used up
        self.used_by_window: list[int] = []  #: most requests that any bucket counted, window by window
        self._window_began = 0.0
        self.closing = threading.Event()
        owner = self

        class Handler(_Handler):
            hub = owner

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            # The handshake is left to the thread of each connection.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
            self.url = f"https://localhost:{self._server.server_port}"

    def __enter__(self) -> HubServer:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def add(self, repo_id: str, config: Any = None, **options: Any) -> Repo:
        """Put in a repository. ``config`` (an object, or bytes as they are) is its config.json; None: it has none."""
        files = {"README.md": b"# model\n", **options.pop("files", {})}
        if config is not None:
            files["config.json"] = config if isinstance(config, bytes) else json.dumps(config, indent=2).encode()
        known = {name: options.pop(name) for name in ("gated", "private", "disabled") if name in options}
        repo = Repo(repo_id, files, info=options, **known)
        self.repos[repo_id.casefold()] = repo
        return repo

    def rename(self, old: str, new: str) -> None:
        """Give a repository another name; the old one leads to it."""
        repo = self.repos.pop(old.casefold())
        repo.info = {**repo.info, "_id": repo.hub_id, "sha": repo.sha}
        repo.repo_id = new
        self.repos[new.casefold()] = repo
        if old.casefold() != new.casefold():
            self.renames[old.casefold()] = new

    def change(self, repo_id: str, config: Any) -> None:
        """A commit with another config.json, in place of all that there were."""
        repo = self.repos[repo_id.casefold()]
        repo.files["config.json"] = json.dumps(config, indent=2).encode()
        repo.info.pop("sha", None)

    def break_next(self, path: str, kind: str, times: int = 1, value: Any = None) -> None:
        """Let the next ``times`` requests whose path matches the pattern ``path`` go wrong.

        ``kind``: ``reset``, ``truncate`` (half of the body), ``silence``, ``drip`` (a byte every 50 ms), ``html`` (a
        page with status 200), ``status`` (``value``: its number), ``error`` (``value``: number, X-Error-Code and
        message), ``body`` (``value``: bytes in place of the body), ``short`` (a Content-Length of half the body),
        ``long``, ``huge`` (a Content-Length of more than comes), ``redirect`` (``value``: the Location).
        """
        self._faults.append(Fault(re.compile(path), kind, times, value))

    def heal(self) -> None:
        """Forget all faults that were put in."""
        self._faults.clear()

    def forget(self) -> None:
        """Forget the requests so far, also those that the present window counts."""
        self.requests.clear()
        self._window_began, self.refused, self.used_by_window = 0.0, 0, []

    def use_up(self, bucket: str) -> None:
        """Let nothing be left of the present window of ``bucket``."""
        with self._lock:
            self._used[bucket] = self.quota[bucket]

    def count(self, path: str = "", method: str = "GET") -> int:
        """Requests so far whose path holds the pattern ``path``."""
        return sum(request.method == method and bool(re.search(path, request.path)) for request in self.requests)

    def take_fault(self, path: str, query: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if fault.times > 0 and fault.pattern.search(path):
                    fault.times -= 1
                    return fault
        return self.chaos(f"{path}?{query}") or (Fault(re.compile(""), "reset", 1) if self.is_dead else None)

    def charge(self, bucket: str) -> tuple[bool, dict[str, str]]:
        """Count a request: whether it is within the quota, and the headers that say what is left."""
        if bucket not in self.quota:  # as a mirror that knows no limits
            return True, {}
        with self._lock:
            now = time.monotonic()
            if now - self._window_began >= self.window:
                self._window_began, self._used = now, {}
                self.used_by_window.append(0)
            self._used[bucket] = used = self._used.get(bucket, 0) + 1
            self.used_by_window[-1] = max(self.used_by_window[-1], used)
            quota = self.quota[bucket]
            self.refused += used > quota
            left = round(self.window - (now - self._window_began))
        headers = {
            "RateLimit": f'"{bucket}";r={max(quota - used, 0)};t={left}',
            "RateLimit-Policy": f'"fixed window";"{bucket}";q={quota};w={round(self.window)}',
        }
        return used <= quota, headers

    def answer(self, request: Request) -> Reply:
        """The Hub's answer, with nothing broken."""
        path = unquote(request.path)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and token not in self.tokens:
            return make_error(401, "", "Invalid credentials in Authorization header")
        if path == "/api/models":
            return self._list(request.query, self.tokens.get(token, set()))
        if match := re.fullmatch(r"/api/models/(?P<id>[^/]+(?:/[^/]+)?)(?:/revision/(?P<rev>.+))?", path):
            return self._find(match["id"], token, request) or self._show(match["id"], match["rev"], request.query)
        if self.has_resolve_cache and (
            match := re.fullmatch(r"/api/resolve-cache/models/(?P<id>.+)/(?P<rev>[0-9a-f]{40})/(?P<file>.+)", path)
        ):
            return self._find(match["id"], token, request) or self._send_file(**match.groupdict(), request=request)
        if match := re.fullmatch(r"/(?P<id>[^/]+(?:/[^/]+)?)/resolve/(?P<rev>[^/]+)/(?P<file>.+)", path):
            return self._find(match["id"], token, request) or self._resolve(**match.groupdict(), request=request)
        return Reply(404, {"Content-Type": "text/html"}, b"<html>404</html>")

    def _list(self, query: str, readable: set[str]) -> Reply:
        wanted = parse_qs(query)
        expand = wanted.get("expand", []) + wanted.get("expand[]", [])
        if unknown := [name for name in expand if name not in EXPANDABLE]:
            return make_error(400, "", f"unknown expand: {unknown[0]}")
        sort = wanted.get("sort", ["trendingScore"])[0]
        models = [repo.describe() for repo in self.repos.values() if not repo.private or repo.repo_id in readable]
        if author := wanted.get("author"):
            models = [model for model in models if model["author"].casefold() == author[0].casefold()]
        if search := wanted.get("search"):
            models = [model for model in models if search[0].casefold() in model["id"].casefold()]
        models.sort(key=lambda model: model["_id"])
        models.sort(key=lambda model: model[sort], reverse=True)
        if cursor := wanted.get("cursor"):
            if not self.old_cursors:
                return make_error(400, "", "Invalid cursor")
            value, after = read_cursor(cursor[0], sort)
            models = [m for m in models if m[sort] < value or (m[sort] == value and m["_id"] > after)]
        limit = min(int(wanted.get("limit", ["1000"])[0]), self.largest_page)
        page, rest = models[:limit], models[limit:]
        headers = {"Content-Type": "application/json; charset=utf-8"}
        if rest:
            held = self.links_hold or {name for name, _ in parse_qsl(query)}
            kept = [(name, text) for name, text in parse_qsl(query) if name != "cursor" and name in held]
            following = urlencode([*kept, ("cursor", make_cursor(page[-1], sort))])
            host = "" if self.links_to == "-" else self.links_to or self.url
            headers["Link"] = f'<{host}/api/models?{following}>; rel="next"'
        if self.links_in_circle:
            headers["Link"] = f'<{self.url}/api/models?{query}>; rel="next"'
        shown = [select_fields(model, expand or LISTED_BY_DEFAULT) for model in page]
        return Reply(200, headers, json.dumps(shown).encode())

    def _find(self, repo_id: str, token: str, request: Request) -> Reply | None:
        """The answer that a repository's name and state alone decide; None when the request may go on."""
        key = repo_id.casefold()
        target = self.renames.get(key) or (self.repos[key].repo_id if key in self.repos else repo_id)
        if target != repo_id:
            path = request.path.replace(repo_id, target, 1)
            return Reply(307, {"Location": path + (f"?{request.query}" if request.query else "")})
        repo = self.repos.get(key)
        allowed = repo is not None and repo.repo_id in self.tokens.get(token, set())
        if repo is None or (repo.private and not allowed):
            return make_error(404, "RepoNotFound", "Repository not found") if token else make_missing()
        is_file = "/resolve" in request.path
        if repo.disabled and is_file:
            return make_error(403, "", "Access to this resource is disabled.")
        if repo.gated and is_file and not allowed:
            return make_error(403 if token else 401, "GatedRepo", f"Access to model {repo.repo_id} is restricted.")
        return None

    def _show(self, repo_id: str, revision: str | None, query: str) -> Reply:
        model = self.repos[repo_id.casefold()].describe()
        if revision not in {None, "main", model["sha"]}:
            return make_error(404, "RevisionNotFound", "Invalid rev id")
        wanted = parse_qs(query)
        expand = wanted.get("expand", []) + wanted.get("expand[]", [])
        shown = select_fields(model, expand) if expand else {**model, "modelId": model["id"]}
        return Reply(200, {"Content-Type": "application/json; charset=utf-8"}, json.dumps(shown).encode())

    def _resolve(self, id: str, rev: str, file: str, request: Request) -> Reply:
        repo = self.repos[id.casefold()]
        if rev not in {"main", repo.sha}:
            return make_error(404, "RevisionNotFound", "Invalid rev id")
        data = repo.files.get(file)
        if not data or repo.private or repo.gated or "/" not in id or not self.has_resolve_cache:
            return self._send_file(id, repo.sha, file, request)
        etag = make_etag(data)
        own = quote(request.path, safe="")
        location = f"/api/resolve-cache/models/{id}/{repo.sha}/{quote(file)}?{own}=&etag={quote(etag, safe='')}"
        headers = {"Location": location, "X-Repo-Commit": repo.sha, "X-Linked-ETag": etag}
        return Reply(307, {**headers, "X-Linked-Size": str(len(data)), "Accept-Ranges": "bytes"})

    def _send_file(self, id: str, rev: str, file: str, request: Request) -> Reply:
        repo = self.repos[id.casefold()]
        if rev != repo.sha:
            return make_error(404, "RevisionNotFound", "Invalid rev id")
        if file not in repo.files:
            reply = make_error(404, "EntryNotFound", "Entry not found")
            return reply._replace(headers={**reply.headers, "X-Repo-Commit": repo.sha})
        data = repo.files[file]
        headers = {"ETag": make_etag(data), "X-Repo-Commit": repo.sha, "Content-Type": "text/plain; charset=utf-8"}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Reply(304, headers)
        return Reply(200, headers, data)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            self.command, parts.path, parts.query, {name.lower(): text for name, text in self.headers.items()}
        )
        self.hub.requests.append(request)
        if self.hub.latency:
            time.sleep(self.hub.latency)
        fault = self.hub.take_fault(parts.path, parts.query)
        if fault is not None and fault.kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()
            return
        if fault is not None and fault.kind == "silence":
            self.hub.closing.wait(60)
            self.close_connection = True
            return
        within, limits = self.hub.charge("resolvers" if "/resolve" in parts.path else "api")
        reply = self.hub.answer(request) if within else make_error(429, "", "Too many requests")
        reply = break_reply(reply, fault)
        if self.hub.retry_after and reply.status >= 400:
            limits["Retry-After"] = self.hub.retry_after
        self._send(reply._replace(headers={**limits, **reply.headers}), request, fault)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, reply: Reply, request: Request, fault: Fault | None) -> None:
        body = reply.body
        headers = {name: text for name, text in reply.headers.items() if name not in self.hub.hidden}
        zipped = len(body) > 500 and fault is None and "gzip" in request.headers.get("accept-encoding", "")
        if zipped and request.method == "GET":  # as the Hub sends text: compressed, its length unsaid
            body = gzip.compress(body, 1)
            body = f"{len(body):x}\r\n".encode() + body + b"\r\n0\r\n\r\n"
            headers |= {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"}
        elif reply.status != 304:
            wrong = {"short": len(body) // 2, "long": len(body) + 9, "huge": 10**18}
            headers["Content-Length"] = str(wrong.get(fault.kind if fault else "", len(body)))
        self.send_response(reply.status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.end_headers()
        if request.method == "HEAD" or reply.status == 304:
            return
        if fault is not None and fault.kind in {"truncate", "drip"}:
            for piece in [body[: len(body) // 2]] if fault.kind == "truncate" else [bytes([one]) for one in body]:
                self.wfile.write(piece)
                self.wfile.flush()
                if self.hub.closing.wait(0.05):
                    break
            self.close_connection = True
            return
        self.wfile.write(body[: int(headers["Content-Length"])] if fault and fault.kind == "short" else body)
        if fault is not None and fault.kind in {"long", "huge"}:
            self.close_connection = True
