"""The catalogue of devices: data with sources, found by name."""

from __future__ import annotations

import pytest

from zoo.devices import GIB, USABLE, find_device, load_devices
from zoo.errors import NoMatch, UsageError
from zoo.metrics.dtypes import BITS


def test_every_device_is_stated_in_full_and_once() -> None:
    devices = load_devices()
    assert len({device.name for device in devices}) == len(devices) >= 35
    assert {device.vendor for device in devices} == {"NVIDIA", "AMD", "Apple", "Intel", "Google"}
    for device in devices:
        assert 8 * GIB <= device.memory_bytes <= 1024 * GIB
        assert 1e11 <= device.bandwidth <= 1e13
        assert 0.5 <= device.usable <= 0.95
        assert device.source.startswith((device.vendor, "AMD"))
        assert set(device.flops) <= set(BITS)


def test_no_device_is_slower_in_a_narrower_type_of_its_kind() -> None:
    for device in load_devices():
        for wide, narrow in (("bfloat16", "float8"), ("float8", "float4"), ("bfloat16", "int8"), ("int8", "int4")):
            if wide in device.flops and narrow in device.flops:
                assert device.flops[wide] <= device.flops[narrow], device.name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("RTX 4090", "RTX 4090"),
        ("rtx4090", "RTX 4090"),
        ("4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("h200", "H200"),
        ("A100-80GB", "A100 80GB"),
        ("A10", "A10"),
        ("mi300x", "MI300X"),
        ("TPU v5e", "TPU v5e"),
    ],
)
def test_a_device_is_found_by_its_name_or_a_piece_of_it(text: str, name: str) -> None:
    assert find_device(text).name == name


def test_a_name_of_several_devices_lists_them() -> None:
    with pytest.raises(UsageError, match="H100 PCIe, H100 SXM, H100 NVL"):
        find_device("H100")


def test_an_unknown_device_suggests_near_names() -> None:
    with pytest.raises(NoMatch, match="no device matches 'RTX 4091'") as caught:
        find_device("RTX 4091")
    assert "RTX 4090" in caught.value.near
    with pytest.raises(NoMatch):
        find_device("")


def test_what_a_program_may_take_is_a_share_of_the_memory() -> None:
    device = find_device("RTX 4090")
    assert device.memory_bytes == 24 * GIB
    assert device.usable_bytes == int(24 * GIB * USABLE)
