"""A browser without a window, to look at pages with. Chromium's own command line does."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass(frozen=True)
class Chromium:
    """One installed Chromium."""

    program: str

    @classmethod
    def find(cls) -> Chromium | None:
        """Return the one that is installed, if any."""
        found = (shutil.which(name) for name in NAMES)
        program = next(filter(None, found), None)
        return cls(program) if program else None

    def content(self, file: Path, *, dark: bool = False) -> str:
        """Return the document as HTML, after its scripts have run."""
        return self._run(file, "--dump-dom", dark=dark)

    def screenshot(
        self, file: Path, target: Path, *, width: int, height: int, dark: bool = False
    ) -> None:
        """Take a picture of the page."""
        size = f"--window-size={width},{height}"
        self._run(file, f"--screenshot={target}", size, "--hide-scrollbars", dark=dark)

    def _run(self, file: Path, *arguments: str, dark: bool) -> str:
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        with tempfile.TemporaryDirectory(prefix="inosync-chromium-") as profile:
            command = [self.program, "--headless", "--no-sandbox", "--disable-gpu"]
            command += ["--disable-dev-shm-usage", "--no-first-run", f"--user-data-dir={profile}"]
            # It shows files, and asks nobody for anything.
            command += ["--disable-background-networking", "--disable-component-update"]
            command += ["--disable-sync", "--disable-quic"]
            done = subprocess.run(
                [*command, scheme, *arguments, file.as_uri()],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
        return done.stdout
