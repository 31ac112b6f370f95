"""The catalogue of devices: data with sources, found by name."""

from __future__ import annotations

import pytest

from zoo.devices import (
    CHECKED,
    FIGURES,
    GIB,
    USABLE,
    describe_source,
    find_device,
    leave_overhead,
    load_devices,
    read_prices,
)
from zoo.errors import NoMatch, UsageError
from zoo.metrics.dtypes import BITS


def test_every_device_is_stated_in_full_and_once() -> None:
    devices = load_devices()
    assert len({device.name for device in devices}) == len(devices) >= 60
    assert {device.vendor for device in devices} == {"NVIDIA", "AMD", "Apple", "Intel", "Google"}
    for device in devices:
        assert 8 * GIB <= device.memory_bytes <= 1024 * GIB
        assert 5e10 <= device.bandwidth <= 1e13
        assert 0.5 <= device.usable <= 0.95
        assert 1 <= device.node <= 72
        assert device.source.startswith((device.vendor, "AMD"))
        assert device.url.startswith("https://")
        assert set(device.flops) <= set(BITS)
        assert device.checked is not None
        assert set(device.checked) <= set(FIGURES)
        assert set(device.checked.values()) <= set(CHECKED)
        assert device.flops or "tflops" not in device.checked


def test_no_device_is_slower_in_a_narrower_type_of_its_kind() -> None:
    for device in load_devices():
        for wide, narrow in (("bfloat16", "float8"), ("float8", "float4"), ("bfloat16", "int8"), ("int8", "int4")):
            if wide in device.flops and narrow in device.flops:
                assert device.flops[wide] <= device.flops[narrow], device.name


@pytest.mark.parametrize(
    "name",
    [
        *("H100 SXM", "H200", "B200", "B300", "GB200", "A100 40GB", "A100 80GB", "L40S", "L4", "A10", "T4"),
        *("V100 SXM2 32GB", "RTX 3090", "RTX 4090", "RTX 5090", "RTX 6000 Ada", "RTX PRO 6000 Blackwell"),
        *("DGX Spark (GB10)", "MI210", "MI250X", "MI300X", "MI325X", "MI350X", "MI355X", "RX 7900 XTX"),
        *("M1 Ultra 128GB", "M2 Ultra 192GB", "M3 Ultra 512GB", "M4 Max 128GB", "M5 Max 128GB", "Gaudi 2", "Gaudi 3"),
        *("Arc B580", "TPU v4", "TPU v5e", "TPU v5p", "TPU v6e", "TPU7x"),
    ],
)
def test_what_people_run_models_on_is_there(name: str) -> None:
    assert find_device(name).name == name


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
    assert device.overhead_bytes + device.usable_bytes == device.memory_bytes


def test_another_overhead_is_a_share_or_bytes() -> None:
    device = find_device("RTX 4090")
    assert leave_overhead(device, None) is device
    assert leave_overhead(device, "5 %").usable_bytes == int(24 * GIB * 0.95)
    assert leave_overhead(device, "1.5GiB").overhead_bytes == 3 * GIB // 2
    assert leave_overhead(device, "2gb").overhead_bytes == 2 * 10**9
    assert leave_overhead(leave_overhead(device, "2gb"), "0%").overhead_bytes == 0
    assert leave_overhead(device, "100").overhead_bytes == 100


@pytest.mark.parametrize("said", ["", "much", "100%", "-1%", "24GiB", "1e99", "5 apples", "nan", "%"])
def test_what_is_no_overhead_is_refused(said: str) -> None:
    with pytest.raises(UsageError, match="is no overhead for RTX 4090"):
        leave_overhead(find_device("RTX 4090"), said)


def test_prices_are_read_by_device() -> None:
    assert read_prices(None) == {}
    assert read_prices("h100 sxm=2.5, 4090 = 0.4,") == {"H100 SXM": 2.5, "RTX 4090": 0.4}
    with pytest.raises(NoMatch):
        read_prices("RTX 4091=1")


@pytest.mark.parametrize("said", ["H200", "=5", "H200=", "H200=0", "H200=-1", "H200=inf", "H200=nan", "H200=much"])
def test_what_is_no_price_is_refused(said: str) -> None:
    with pytest.raises(UsageError, match="is no price"):
        read_prices(said)


def test_it_is_said_how_far_figures_were_checked() -> None:
    assert "memory on a page of the maker" in describe_source(find_device("TPU v4"))
    assert "tflops on somebody else's page" in describe_source(find_device("H200"))
    assert "not compared with a page" in describe_source(find_device("Radeon AI PRO R9700"))
