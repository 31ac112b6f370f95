"""Architectures: from a config to the ledger of its named tensors and states. Pure; no I/O, no torch, no database."""

from zoo.arch.ledger import Ledger, build_ledger

__all__ = ["Ledger", "build_ledger"]
