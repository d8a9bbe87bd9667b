"""Config scripts, loaded."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from inosync.config.load import load
from inosync.config.model import Config
from inosync.errors import ConfigError


class Script:
    """A config script with sources to watch; `www` and `etc` stand for them in its text."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "inosync.py"
        self.www, self.etc = directory / "www", directory / "etc"
        self.www.mkdir()
        self.etc.mkdir()

    def load(self, text: str = "", *, base: str = 'wpath = www\nrnodes = ["a:/www"]\n') -> Config:
        """Return the config of a script; `base` are the settings that each has to have."""
        self.path.write_text(f"www, etc = '{self.www}/', '{self.etc}/'\n{base}{text}\n")
        self.path.chmod(0o644)
        return load(str(self.path))

    def problems(self, text: str = "", **keywords: str) -> list[str]:
        """Return what is wrong with a script, without the file's name."""
        with pytest.raises(ConfigError) as caught:
            self.load(text, **keywords)
        for problem in caught.value.problems:
            assert problem.startswith(f"{self.path}: ")
            assert problem.isprintable()
        return [problem.removeprefix(f"{self.path}: ") for problem in caught.value.problems]

    def problem(self, text: str = "", **keywords: str) -> str:
        """Return the one thing that is wrong with a script."""
        (problem,) = self.problems(text, **keywords)
        return problem


def watching(directory: Path, text: str) -> str:
    """Return a config that watches directories below `directory`, made here, not the system's."""

    watched: set[str] = set()

    def below(found: re.Match[str]) -> str:
        for path in re.findall(r'"/([^"]*)"', found[0]):
            (directory / path).mkdir(parents=True, exist_ok=True)
            watched.add(path)
        return found[0].replace('"/', f'"{directory}/')

    text = re.sub(r'^wpaths? = (".*"|\[[^]]*\])', below, text, flags=re.MULTILINE)
    for path in watched:  # the keys of what is said by source
        text = text.replace(f'"/{path}": ', f'"{directory}/{path}": ')
    return text
