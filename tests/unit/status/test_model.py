"""What programs read is what docs/status.rst explains."""

from __future__ import annotations

from pathlib import Path

import pytest

from inosync.status import model

PAGE = (Path(__file__).parents[3] / "docs/status.rst").read_text()
SHAPES = [
    getattr(model, name) for name in dir(model) if name.endswith("Status") or name == "Snapshot"
]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_each_value_is_explained(shape: type) -> None:
    assert [key for key in shape.__annotations__ if f"``{key}``" not in PAGE] == []


def test_the_version_of_the_shape_is_told() -> None:
    assert f"``{model.SCHEMA}``" in PAGE or f" {model.SCHEMA}" in PAGE
