"""Devices that run models: their memory, bandwidth and dense throughput, as their makers state them."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from zoo.errors import NoMatch, UsageError

#: Share of a device's memory that weights and cache may take together. The rest is for the driver, the engine, its
#: graphs and activations; serving engines set a like share aside (vLLM's ``gpu_memory_utilization``).
USABLE = 0.9
GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Device:
    """One device. ``bandwidth`` in bytes a second; ``flops`` dense operations a second, by data type."""

    name: str
    vendor: str
    memory_bytes: int
    bandwidth: float
    flops: Mapping[str, float]
    usable: float
    source: str

    @property
    def usable_bytes(self) -> int:
        """What weights and cache may take."""
        return int(self.memory_bytes * self.usable)


@cache
def load_devices() -> tuple[Device, ...]:
    """The catalogue, in its order: by maker."""
    entries = tomllib.loads(files("zoo").joinpath("devices.toml").read_text(encoding="utf-8"))["device"]
    return tuple(
        Device(
            name=entry["name"],
            vendor=entry["vendor"],
            memory_bytes=round(entry["memory_gib"] * GIB),
            bandwidth=entry["bandwidth"] * 1e9,
            flops={dtype: value * 1e12 for dtype, value in entry["tflops"].items()},
            usable=entry.get("usable", USABLE),
            source=entry["source"],
        )
        for entry in entries
    )


def find_device(text: str) -> Device:
    """The device that ``text`` names: its name, or a piece of one name only; case, spaces and the maker do not count.

    Raises:
        UsageError: several devices are named so.
        NoMatch: none is.
    """
    wanted = _fold(text)
    devices = load_devices()
    exact = [device for device in devices if _fold(device.name) == wanted]
    found = exact or [device for device in devices if wanted and wanted in _fold(f"{device.vendor} {device.name}")]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{text!r:.40} is one of several devices: {', '.join(device.name for device in found)}")
    near = difflib.get_close_matches(text.upper(), [device.name.upper() for device in devices], 3, 0.4)
    raise NoMatch(text, [device.name for device in devices if device.name.upper() in near], what="device")


def _fold(text: str) -> str:
    return re.sub(r"nvidia|geforce|radeon|amd|apple|intel|google|[^a-z0-9]", "", text.lower())
