"""An event loop that never waits for a name to be looked up when it is to end."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import Any


class QuietLoop(asyncio.SelectorEventLoop):
    """Looks up names in threads that nobody waits for: that can hang, and cannot be stopped."""

    async def getaddrinfo(
        self, host: Any, port: Any, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        found: asyncio.Future[list[Any]] = self.create_future()

        def settle(result: list[Any] | OSError) -> None:
            if found.done():
                return
            if isinstance(result, OSError):
                found.set_exception(result)
            else:
                found.set_result(result)

        def look_up() -> None:
            result: list[Any] | OSError
            try:
                result = socket.getaddrinfo(host, port, family, type, proto, flags)
            except OSError as error:
                result = error
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self.call_soon_threadsafe(settle, result)

        threading.Thread(target=look_up, name="zoo-names", daemon=True).start()
        return await found
