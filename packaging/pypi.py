"""Make a copy of the source ready for PyPI; called by packaging/build.

``pypi.py SOURCE REPOSITORY TAG`` has the links of README.rst, which lead from file to file in a
checkout, lead to REPOSITORY at TAG, and names the project's addresses. ``pypi.py --even SDIST``
takes out of an sdist what differs from build to build.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import sys
import tarfile
from pathlib import Path


def absolute(text: str, repository: str, tag: str) -> str:
    """Return reStructuredText with its relative links and pictures as addresses.

    The addresses stand at the end: in a cell of a table there is no room for them.
    """
    pages: dict[str, str] = {}

    def link(at: re.Match[str]) -> str:
        pages[at[1]] = f"{repository}/blob/{tag}/{at[2]}"
        made = f"`{at[1]}`_"
        return (
            made + " " * (len(at[0]) - len(made)) if at.string.startswith("  ", at.end()) else made
        )

    text = re.sub(r"`([^`<]+?)\s+<(?![a-z]+:)([\w./#-]+)>`_", link, text)
    text = re.sub(
        r"^(\s*\.\. (?:\|\w+\| )?(?:image|figure):: )(?![a-z]+:)(\S+)$",
        lambda at: f"{at[1]}{repository}/raw/{tag}/{at[2]}",
        text,
        flags=re.MULTILINE,
    )
    targets = "".join(f".. _{name}: {address}\n" for name, address in pages.items())
    return text.replace("git clone REPOSITORY", f"git clone {repository}") + "\n" + targets


def urls(repository: str, tag: str) -> str:
    """Return the project's addresses, as pyproject.toml has them."""
    pages = {
        "Homepage": repository,
        "Documentation": f"{repository}/blob/{tag}/README.rst",
        "Changes": f"{repository}/blob/{tag}/CHANGES.rst",
        "Security": f"{repository}/blob/{tag}/SECURITY.rst",
        "Source": repository,
        "Issues": f"{repository}/issues",
    }
    return "".join(f'{name} = "{address}"\n' for name, address in pages.items())


def prepare(source: Path, repository: str, tag: str) -> None:
    """Have README.rst and pyproject.toml say where the repository is."""
    readme = source / "README.rst"
    readme.write_text(absolute(readme.read_text(), repository, tag))
    project = source / "pyproject.toml"
    text = project.read_text()
    if "[project.urls]" not in text:
        table = f"[project.urls]\n{urls(repository, tag)}\n[project.scripts]"
        project.write_text(text.replace("[project.scripts]", table, 1))


def even(sdist: Path, when: int) -> None:
    """Write an sdist anew: in order, of nobody, as old as the commit."""
    with tarfile.open(sdist) as old:
        members = sorted(old.getmembers(), key=lambda member: member.name)
        contents = [old.extractfile(each) if each.isfile() else None for each in members]
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=tarfile.GNU_FORMAT) as new:
            for member, content in zip(members, contents, strict=True):
                member.mtime, member.uid, member.gid = when, 0, 0
                member.uname = member.gname = ""
                member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
                member.pax_headers = {}
                new.addfile(member, content)
    sdist.write_bytes(gzip.compress(made.getvalue(), mtime=when))


def main() -> None:
    """Do what packaging/build asks for."""
    if sys.argv[1] == "--even":
        even(Path(sys.argv[2]), int(os.environ["SOURCE_DATE_EPOCH"]))
    else:
        prepare(Path(sys.argv[1]), sys.argv[2], sys.argv[3])


if __name__ == "__main__":
    main()
