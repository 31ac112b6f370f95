"""Devices that run models: their memory, bandwidth and dense throughput, as their makers state them."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from zoo.errors import NoMatch, UsageError

#: Share of a device's memory that weights and cache may take together. The rest is for the driver, the engine, its
#: graphs and activations; serving engines set a like share aside (vLLM's ``gpu_memory_utilization``).
USABLE = 0.9
GIB = 1 << 30
#: Figures of a device that can be checked, and how well one is known.
FIGURES = ("memory", "bandwidth", "tflops")
CHECKED = ("maker", "third")
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


@dataclass(frozen=True, slots=True)
class Device:
    """One device. ``bandwidth`` in bytes a second; ``flops`` dense operations a second, by data type.

    ``node`` is how many of them one machine joins closely. ``checked`` says which of :data:`FIGURES` were compared with
    a page of the maker ("maker") or of somebody else ("third"); a figure that is not in it was not found on a page.
    ``reserve`` bytes are left to the driver and the engine where that is said in bytes, and not as a share.
    """

    name: str
    vendor: str
    memory_bytes: int
    bandwidth: float
    flops: Mapping[str, float]
    usable: float
    source: str
    node: int = 8
    url: str = ""
    checked: Mapping[str, str] | None = None
    reserve: int | None = None

    @property
    def usable_bytes(self) -> int:
        """What weights and cache may take."""
        if self.reserve is not None:
            return max(0, self.memory_bytes - self.reserve)
        return int(self.memory_bytes * self.usable)

    @property
    def overhead_bytes(self) -> int:
        """What is left to the driver, the engine, its graphs and activations."""
        return self.memory_bytes - self.usable_bytes


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
            node=entry["node"],
            url=entry["url"],
            checked=entry["checked"],
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


def leave_overhead(device: Device, said: str | None) -> Device:
    """``device`` with another part of its memory left to the engine: "10%", or bytes such as "2GiB"; None as it is.

    Raises:
        UsageError: neither a share below 100 % nor bytes that the device has.
    """
    if said is None:
        return device
    match = re.fullmatch(r"\s*([0-9]{1,6}(?:\.[0-9]{1,4})?)\s*(%|[a-z]*)\s*", said, re.IGNORECASE)
    unit = match[2].lower() if match else ""
    if match and unit == "%" and float(match[1]) < 100:
        return replace(device, usable=1 - float(match[1]) / 100, reserve=None)
    if match and unit in _UNITS:
        size = int(float(match[1]) * _UNITS[unit])
        if size < device.memory_bytes:
            return replace(device, reserve=size)
    raise UsageError(f"{said!r:.40} is no overhead for {device.name}: write a share such as 10%, or 2GiB")


def read_prices(said: str | None) -> dict[str, float]:
    """Prices by device, of any one unit: ``"H100 SXM=2.5,RTX 4090=0.4"``; none for None.

    Raises:
        UsageError: a device without a price, or a price that is no positive number.
        NoMatch: a device that there is not.
    """
    prices: dict[str, float] = {}
    for item in filter(None, (word.strip() for word in (said or "").split(","))):
        name, _, price = item.rpartition("=")
        try:
            value = float(price)
        except ValueError:
            value = 0.0
        if not name.strip() or not 0 < value < float("inf"):
            raise UsageError(f"{item!r:.40} is no price: write device=price, such as H100 SXM=2.5,L40S=0.8")
        prices[find_device(name).name] = value
    return prices


def describe_source(device: Device) -> str:
    """Where the figures of ``device`` are from, and how far they were checked."""
    seen = device.checked or {}
    words = {"maker": "on a page of the maker", "third": "on somebody else's page"}
    said = [f"{what} {words[seen[what]]}" for what in FIGURES if what in seen]
    checked = f"checked: {', '.join(said)}" if said else "not compared with a page"
    return f"{device.name}: {device.source}, {device.url}; {checked}"


def _fold(text: str) -> str:
    return re.sub(r"nvidia|geforce|radeon|amd|apple|intel|google|[^a-z0-9]", "", text.lower())
