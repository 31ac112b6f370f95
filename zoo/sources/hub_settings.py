"""Where the Hub is and how patient to be with it: the settings of huggingface_hub, taken over and checked."""

from __future__ import annotations

import os
import re
import socket
import ssl
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from zoo.errors import HubError

_TOKEN = re.compile(r"[!-~]+\Z")


@dataclass(frozen=True, slots=True)
class HubSettings:
    """Where the Hub is, and how patient to be. Times are in seconds."""

    endpoint: str = field(repr=False)  # it may hold a password
    token: str | None = field(default=None, repr=False)
    jobs: int = 32  #: requests in flight
    budget: float = 0.8  #: share of a rate window that is used; the rest is left to the person's other programs
    connect_timeout: float = 5.0
    read_timeout: float = 10.0  #: longest silence within an answer
    request_timeout: float = 30.0  #: one attempt in all, however slowly it drips; thrice for pages of the listing
    give_up_after: float = 40.0  #: spent on the attempts of one request: no further one is begun
    attempts: int = 6  #: as the library's own backoff has it
    page_attempts: int = 8  #: of a page of the listing, on which all its models hang
    backoff: float = 0.5  #: pause before the second attempt; doubles up to ``max_backoff``, with jitter
    max_backoff: float = 8.0
    refusal_pause: float = 1.0  #: first pause after a 429 that does not say when to come back; doubles up to a minute
    max_wait: float = 900.0  #: longest pause for a rate limit: the Hub's window is 300 s
    probe_timeout: float = 5.0  #: the whole decision, start of the program included, stays under 10
    silence: float = 6.0  #: nothing at all heard in the middle of a run: is the Hub still there?
    outage: float = 30.0  #: it is given up when it stays away so long; twice that when it answers, but with errors

    @property
    def shown_endpoint(self) -> str:
        """The endpoint without a user name or password that it may hold."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def read_settings(*, anonymous: bool = False, jobs: int = 32, budget: float = 0.8) -> HubSettings:
    """Endpoint and token as huggingface_hub has them (``HF_ENDPOINT``, ``HF_TOKEN``, ``hf auth login``).

    Raises:
        HubError: ``HF_HUB_OFFLINE`` forbids the network; the endpoint is no address, or the token no token.
    """
    from huggingface_hub import constants, get_token

    if constants.is_offline_mode():
        raise HubError("HF_HUB_OFFLINE is set: unset it, or use --source snapshot, cache or a folder")
    implicit = not (anonymous or constants.HF_HUB_DISABLE_IMPLICIT_TOKEN)
    # The library reads its environment once, when it is imported: a later HF_ENDPOINT counts, too.
    endpoint = (os.environ.get("HF_ENDPOINT") or constants.ENDPOINT).rstrip("/")
    settings = HubSettings(endpoint, get_token() if implicit else None, jobs=jobs, budget=budget)
    if settings.token and not _TOKEN.match(
        settings.token
    ):  # a header cannot hold it; an error of its own would show it
        raise HubError("the Hub's token holds characters that no token has: log in again (hf auth login)")
    scheme, host, port = read_origin(endpoint)
    if scheme not in {"http", "https"} or not host or port < 0:
        raise HubError(f"HF_ENDPOINT is no address: {settings.shown_endpoint} (https://huggingface.co is one)")
    return settings


def read_origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of an address: what a token may be sent to. A port that is none is -1."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = -1
    return parts.scheme, (parts.hostname or "").lower(), port or {"http": 80, "https": 443}.get(parts.scheme, 0)


def load_hub_utils() -> Any:
    """``huggingface_hub.utils``, which exports the HTTP library that it stands on as ``httpx``, whatever its name."""
    return import_module("huggingface_hub.utils")


def make_headers() -> dict[str, str]:
    from huggingface_hub import __version__ as hub_version

    from zoo import __version__

    agent = f"zoo/{__version__}; huggingface_hub/{hub_version}"
    # Only gzip, which the Hub uses: other codings shrink a body so far that one chunk of it could fill the memory.
    return {"User-Agent": agent, "Accept": "application/json, */*", "Accept-Encoding": "gzip"}


def make_client(settings: HubSettings, kind: str = "Client", **options: Any) -> Any:
    """A ``Client`` or ``AsyncClient`` of the HTTP library, with proxies and certificates as the environment has them.

    Raises:
        HubError: a proxy or a file of certificates that the environment names cannot be used.
    """
    httpx = load_hub_utils().httpx
    try:
        return getattr(httpx, kind)(
            timeout=make_timeout(settings), follow_redirects=False, headers=make_headers(), **options
        )
    except ImportError:
        raise HubError("a SOCKS proxy needs one more package: pip install socksio") from None
    except (ssl.SSLError, OSError):
        raise HubError("SSL_CERT_FILE or SSL_CERT_DIR names no certificates") from None
    except (ValueError, httpx.InvalidURL):  # its text may hold the proxy's password
        raise HubError("one of HTTPS_PROXY, HTTP_PROXY and ALL_PROXY is no address of a proxy") from None


def make_timeout(settings: HubSettings) -> Any:
    read = settings.read_timeout
    return load_hub_utils().httpx.Timeout(connect=settings.connect_timeout, read=read, write=read, pool=None)


def describe_error(error: BaseException) -> str:
    """A few words for a network error; never its address, which may hold a token or a password."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "its certificate is not trusted (SSL_CERT_FILE names a file of those that are)"
        if isinstance(cause, OSError) and cause.strerror:
            # asyncio puts the address into its own text.
            number = 0 if isinstance(cause, socket.gaierror) else cause.errno or 0
            return (os.strerror(number) if number > 0 else cause.strerror).lower()
        cause = cause.__cause__ or cause.__context__
    names = {
        "ConnectError": "no connection",
        "ReadError": "the connection was reset",
        "WriteError": "the connection was reset",
        "RemoteProtocolError": "the answer broke off",
        "ProxyError": "the proxy refuses",
        "DecodingError": "the answer is damaged",
        "InvalidURL": "not an address",
    }
    name = type(error).__name__
    if name.endswith("Timeout"):
        return "no answer in time"
    return names.get(name) or (f"{name}: {error}" if name in {"TooManyRedirects", "UnsupportedProtocol"} else name)
