"""``python -m inosync``."""

from __future__ import annotations

import sys

from inosync.cli import main

sys.exit(main())
