"""Where the Hub is, how it is reached, and who sees the token."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from tests.hub_server import HubServer
from tests.sync_fixtures import Synced, hub, synced, template
from zoo.errors import HubError

__all__ = ["hub", "synced", "template"]

CONFIG = {"model_type": "llama", "hidden_size": 64}
CERTIFICATE = Path(__file__).with_name("data") / "localhost.pem"
SECRET = "hf_averysecrettoken"


def holds(folder: Path, text: str) -> list[str]:
    """Files below ``folder`` that hold ``text``."""
    return [str(path) for path in folder.rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


class TestToken:
    @pytest.fixture
    def secret_hub(self, hub: HubServer) -> HubServer:
        hub.tokens[SECRET] = {"org/gated"}
        hub.add("org/gated", CONFIG, gated="auto")
        hub.add("org/open", CONFIG)
        return hub

    def test_it_is_the_one_of_the_login_and_is_kept_nowhere(
        self, secret_hub: HubServer, synced: Synced, tmp_path: Path
    ) -> None:
        login = tmp_path / "login"
        login.mkdir()
        (login / "token").write_text(SECRET + "\n")
        secret_hub.break_next("org/open/.*config.json", "status", times=99, value=403)
        code, out, err = synced.run("--all", "--source", "hub", "--verbose", HF_HOME=str(login))
        assert code == 0
        assert {request.headers.get("authorization") for request in secret_hub.requests} == {f"Bearer {SECRET}"}
        assert synced.query("SELECT repo_id FROM model WHERE config_id IS NOT NULL") == [("org/gated",)]
        (login / "token").unlink()
        assert SECRET not in out + err
        assert holds(tmp_path, SECRET) == []

    def test_anonymous_sends_none(self, secret_hub: HubServer, synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_TOKEN", SECRET)
        assert synced.sync(anonymous=True).by_kind == {"gated": 1}
        assert not any("authorization" in request.headers for request in secret_hub.requests)

    def test_without_one_what_is_public_is_read(self, secret_hub: HubServer, synced: Synced) -> None:
        assert synced.sync().new == 1
        assert not any("authorization" in request.headers for request in secret_hub.requests)

    @pytest.mark.parametrize("token", ["hf_stale", "hf_st ale", "hf_stalé"])
    def test_a_bad_one_is_named_but_not_shown(
        self, synced: Synced, token: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", token)
        synced.hub.add("org/a", CONFIG)
        with pytest.raises(HubError, match=r"log in again \(hf auth login\)") as refused:
            synced.sync()
        assert token not in "".join(traceback.format_exception(refused.value))

    def test_a_redirect_to_another_host_never_sees_it(
        self, secret_hub: HubServer, synced: Synced, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", SECRET)
        with HubServer() as elsewhere:
            other = elsewhere.add("org/gated", CONFIG)
            # Another port is another host; "localhost" is another host than "127.0.0.1".
            for host in (elsewhere.url, elsewhere.url.replace("127.0.0.1", "localhost")):
                target = f"{host}/api/resolve-cache/models/org/gated/{other.sha}/config.json"
                secret_hub.break_next("org/gated/resolve", "redirect", value=target)
                assert synced.sync(full=True).usable == 2
            assert len(elsewhere.requests) == 2
            assert not any(SECRET in str(request) for request in elsewhere.requests)


class TestEnvironment:
    def test_offline_is_honoured(self, synced: Synced) -> None:
        code, _, err = synced.run("--all", "--source", "hub", HF_HUB_OFFLINE="1")
        assert (code, synced.hub.requests) == (4, [])
        assert "HF_HUB_OFFLINE is set" in err

    def test_an_endpoint_may_have_a_path(self, synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
        with MirrorServer(synced.hub.url, "/hf") as mirror:
            for number in range(1200):
                synced.hub.add(f"org/m{number:04}", CONFIG if number % 100 == 0 else None, createdAt=f"{number:05}")
            monkeypatch.setenv("HF_ENDPOINT", f"{mirror.url}/hf/")
            assert synced.sync().new == 12
            assert all(path.startswith("/hf/") for path in mirror.paths)

    def test_a_proxy_is_used_and_no_proxy_is_heeded(self, synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
        synced.hub.add("org/a", CONFIG)
        with MirrorServer("", "") as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "")
            assert synced.sync().new == 1
            assert [path.startswith(f"{synced.hub.url}/api/") for path in proxy.paths] == [True, True]
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            assert synced.sync().unchanged == 1
            assert len(proxy.paths) == 2

    @pytest.mark.parametrize(
        ("proxy", "said"),
        [
            ("http://user:geheim@127.0.0.1:9", "cannot be reached at .*: connection refused"),
            ("gopher://user:geheim@host", "is no address of a proxy"),
            ("socks5://user:geheim@host:1", "a SOCKS proxy needs one more package"),
        ],
    )
    def test_a_proxy_that_cannot_be_used_is_named_without_its_password(
        self, synced: Synced, monkeypatch: pytest.MonkeyPatch, proxy: str, said: str
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        monkeypatch.setenv("NO_PROXY", "")
        with pytest.raises(HubError, match=said) as refused:
            synced.sync()
        assert "geheim" not in str(refused.value)

    def test_a_name_that_nobody_knows_is_said_at_once(self, synced: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HF_ENDPOINT", "http://hub.invalid")
        began = time.monotonic()
        with pytest.raises(HubError, match=r"cannot be reached at http://hub\.invalid: "):
            synced.sync()
        assert time.monotonic() - began < 5


class TestTls:
    @pytest.fixture
    def secure(self, synced: Synced, monkeypatch: pytest.MonkeyPatch) -> Iterator[Synced]:
        with HubServer(CERTIFICATE) as server:
            monkeypatch.setenv("HF_ENDPOINT", server.url)
            yield Synced(server, synced.path)

    def test_a_hub_over_tls_is_read(self, secure: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        for number in range(60):
            secure.hub.add(f"org/m{number:03}", {**CONFIG, "vocab_size": number + 1})
        secure.hub.add("org/gone-soon", CONFIG, private=True)
        assert secure.hub.url.startswith("https://localhost:")
        assert secure.sync().new == 60
        assert secure.sync().unchanged == 60

    def test_a_certificate_that_nobody_vouches_for_is_refused(
        self, secure: Synced, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        with pytest.raises(HubError, match="its certificate is not trusted"):
            secure.sync()
        assert secure.hub.requests == []

    def test_certificates_that_are_none_are_named(self, secure: Synced, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(secure.path))
        with pytest.raises(HubError, match="SSL_CERT_FILE or SSL_CERT_DIR names no certificates"):
            secure.sync()

    def test_a_redirect_from_https_to_http_is_not_followed(
        self, secure: Synced, hub: HubServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
        secure.hub.add("org/a", CONFIG)
        secure.hub.add("org/b", CONFIG)
        secure.hub.break_next("org/a/.*config.json", "redirect", times=99, value=f"{hub.url}/x")
        secure.hub.break_next("org/a/resolve", "redirect", times=99, value=f"{hub.url}/x")
        assert secure.sync().by_kind == {"failed": 1}
        assert hub.requests == []


class MirrorServer(ThreadingHTTPServer):
    """Passes requests on: as a mirror of ``target`` below ``prefix``, or as a proxy to wherever they go."""

    daemon_threads = True

    def __init__(self, target: str, prefix: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.target, self.prefix = target, prefix
        self.paths: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> MirrorServer:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Passing(BaseHTTPRequestHandler):
    server: MirrorServer

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        opener = build_opener(ProxyHandler({}))
        with opener.open(Request(self.server.target + self.path.removeprefix(self.server.prefix))) as answer:
            body = answer.read()
            self.send_response(answer.status)
            for name, text in answer.headers.items():
                if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                    self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
