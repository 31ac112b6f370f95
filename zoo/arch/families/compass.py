"""Cohere's Compass: its text model behind Qwen3-VL's kind of tower."""

from __future__ import annotations

from zoo.arch.families.llava import TEXT
from zoo.arch.families.llava_kin import seeing
from zoo.arch.families.qwen3_vl import DEEPSTACK, STACKED, TOWER, VISION_DIMS
from zoo.arch.families.towers import tower
from zoo.arch.layers import vision_section
from zoo.arch.registry import register

register(
    tower(
        "cohere_compass_vision",
        "Command",
        *TOWER,
        DEEPSTACK,
        name="CohereCompassVisionModel",
        dims=VISION_DIMS | STACKED,
        about="The tower of Compass: Qwen3-VL's, of which several layers feed the first layers of the text.",
    ),
    seeing(
        *("cohere_compass", "Command", "CohereCompass", vision_section(name="visual"), TEXT),
        example="CohereLabs/North-Micro-Vision-Instruct",
        about="Command's parallel blocks behind Qwen3-VL's kind of tower.",
    ),
)
