"""``python -m tests.oracle defaults|record|compare|heads|flops|cache|single``."""

from __future__ import annotations

import sys
from importlib import import_module

COMMANDS = ("defaults", "record", "compare", "heads", "flops", "cache", "single")

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in COMMANDS:
        sys.exit(f"usage: python -m tests.oracle {'|'.join(COMMANDS)}")
    sys.exit(import_module(f"tests.oracle.{sys.argv[1]}").main(*sys.argv[2:]))
