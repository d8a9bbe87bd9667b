"""What the tests of the config share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.scripts import Script


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(Path(os.path.realpath(tmp_path)))
