"""A real rsync daemon behind a real stunnel, with certificates that were made for the test."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from support.servers import Server, program

PASSWORD = "not to be seen"


class Authority:
    """Signs certificates; ``certificate`` is the file by which others know it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self.certificate = folder / "ca.pem"
        self._key = folder / "ca.key"
        self._make(self._key, self.certificate, "-x509", "-days", "2", subject="/CN=test authority")

    def sign(self, name: str, *alternatives: str, days: int = 2) -> tuple[Path, Path]:
        """Return files with a certificate and its key, for e.g. ``DNS:localhost``."""
        key, asked, signed = (self._folder / f"{name}.{end}" for end in ("key", "csr", "pem"))
        self._make(key, asked, subject=f"/CN={name}")
        extension = self._folder / "extension"
        extension.write_text(f"subjectAltName={','.join(alternatives)}\n" if alternatives else "")
        words: list[str | Path] = ["x509", "-req", "-in", asked]
        words += ["-CA", self.certificate, "-CAkey", self._key]
        words += ["-CAcreateserial", "-days", str(days), "-extfile", extension, "-out", signed]
        _openssl(*words)
        return signed, key

    def _make(self, key: Path, to: Path, *words: str, subject: str) -> None:
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
        _openssl("req", *curve, "-keyout", key, "-subj", subject, "-out", to, *words)


class TlsDaemon(Server):
    """Modules ``open`` and ``closed`` (user mirror) in `root`, behind TLS on 127.0.0.1 or ::1.

    With `clients` nobody gets in but who has a certificate from them.
    """

    def __init__(
        self,
        folder: Path,
        certificate: tuple[Path, Path],
        *,
        address: str = "127.0.0.1",
        clients: Authority | None = None,
    ) -> None:
        super().__init__(folder)
        self.root = folder / "root"
        self.root.mkdir()
        self.address = address
        secrets = folder / "secrets"
        secrets.write_text(f"mirror:{PASSWORD}\n")
        secrets.chmod(0o600)
        rsyncd, self._config = folder / "rsyncd.conf", folder / "stunnel.conf"
        root = f"uid = {os.getuid()}\ngid = {os.getgid()}\n" if os.getuid() == 0 else ""
        module = f"path = {self.root}\nread only = no\n"
        rsyncd.write_text(
            f"use chroot = no\nmunge symlinks = no\nreverse lookup = no\n{root}"
            f"[open]\n{module}[closed]\n{module}auth users = mirror\nsecrets file = {secrets}\n"
        )
        wanted = f"verifyChain = yes\nCAfile = {clients.certificate}\n" if clients else ""
        self._config.write_text(
            f"foreground = yes\npid =\n[rsyncs]\naccept = {address}:{self.port}\n"
            f"cert = {certificate[0]}\nkey = {certificate[1]}\n{wanted}"
            f"exec = {program('rsync')}\nexecArgs = rsync --daemon --config={rsyncd}\n"
        )

    def command(self) -> list[str]:
        return [program("stunnel"), str(self._config)]

    def answers(self) -> bool:
        with socket.create_connection((self.address, self.port), timeout=5):
            return True

    def url(self, host: str, path: str) -> str:
        """Return the destination of a module and what is behind it, at this port of a host."""
        return f"rsyncs://{host}:{self.port}/{path}"


def _openssl(*words: str | Path) -> None:
    subprocess.run([program("openssl"), *words], check=True, capture_output=True)
