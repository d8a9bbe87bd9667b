"""Real servers on loopback ports, as the user who runs the tests: an rsync daemon and an sshd.

Both can be stopped in the middle of a transfer and started again on the same port.
"""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from support import processes
from support.waiting import until


def free_port() -> int:
    """Return a TCP port on 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def greeting(port: int) -> bytes:
    """Return the first bytes that a server on this port says; raise OSError when there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        return connection.recv(64)


def program(name: str) -> str:
    """Return the path of an installed program; sshd lives where only root looks."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin")
    if path is None:
        raise FileNotFoundError(f"{name} is not installed; tests/run installs it")
    return path


class Server:
    """A server process in the foreground. Subclasses say which."""

    greets_with: bytes

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.log_file = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """Return what to start."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Tell whether the server answers; raise OSError when nobody does."""
        return greeting(self.port).startswith(self.greets_with)

    def start(self) -> None:
        """Start the server and return when it answers on its port."""
        assert self._process is None, "the server runs already"
        with open(self.folder / "output", "ab") as output:
            process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._process = process

        def answers() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{self.command()[0]} ended at once:\n{self.log()}")
            return self.answers()

        until(answers, what=f"{self.command()[0]} to answer", state=self.log)

    def stop(self) -> None:
        """Kill the server with every session it serves, as a pulled plug would."""
        process, self._process = self._process, None
        if process is None:
            return
        # The listener first, so that it serves nobody new while we count its sessions.
        processes.kill([process.pid], signal.SIGSTOP)
        victims = processes.descendants(process.pid)
        processes.kill([process.pid, *victims])
        process.wait(timeout=10)
        processes.wait_gone(victims)

    def log(self) -> str:
        """Return what the server has logged and printed until now."""
        files = (self.log_file, self.folder / "output")
        return "".join(file.read_text(errors="replace") for file in files if file.exists())


class RsyncDaemon(Server):
    """A real ``rsync --daemon`` with one writable module, `root` being its directory.

    It runs without chroot, so rsync itself rewrites symbolic links that lead out of the module:
    compare trees with links that stay inside.
    """

    greets_with = b"@RSYNCD:"
    module = "mirror"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.root = folder / self.module
        self.root.mkdir()
        self._config = folder / "rsyncd.conf"
        self._config.write_text(
            f"log file = {self.log_file}\n"
            "use chroot = no\n"
            "munge symlinks = no\n"
            "reverse lookup = no\n"
            # rsync switches to nobody when root starts it and nothing else is said.
            + (f"uid = {os.getuid()}\ngid = {os.getgid()}\n" if os.getuid() == 0 else "")
            + f"[{self.module}]\npath = {self.root}\nread only = no\n"
        )

    def command(self) -> list[str]:
        return [
            program("rsync"),
            "--daemon",
            "--no-detach",
            "--address=127.0.0.1",
            f"--port={self.port}",
            f"--config={self._config}",
        ]

    def admit(self, most: int) -> None:
        """Let so many in at once from now on (``max connections``)."""
        with open(self._config, "a") as file:
            file.write(f"max connections = {most}\nlock file = {self.folder / 'lock'}\n")

    def url(self, path: str = "") -> str:
        """Return the destination of a path in the module."""
        return f"rsync://127.0.0.1:{self.port}/{self.module}/{path}"


class SshServer(Server):
    """A real sshd that lets the current user in with a key of its own.

    ``bin`` holds an `ssh` that knows key, port and host key, as ~/.ssh/config would tell them:
    put it first on PATH (`environment`). `config` serves ``ssh -F CONFIG testhost``. With
    INOSYNC_RRSYNC=1 in the environment the key does nothing but rsync, beside and in its folder.

    Another `user` may be named by root, with the `files` of /etc as sshd is to see them.
    """

    greets_with = b"SSH-"

    def __init__(
        self, folder: Path, *, user: str = "", files: Mapping[str, Path] | None = None
    ) -> None:
        super().__init__(folder)
        folder.chmod(0o755 if user else 0o700)
        self.user = user or pwd.getpwuid(os.getuid()).pw_name
        self._files = files or {}
        self.bin = folder / "bin"
        self.config = folder / "ssh_config"
        self._server_config = folder / "sshd_config"
        for key in ("host_key", "user_key"):
            subprocess.run(
                [program("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)],
                check=True,
            )
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        self._top = str(folder.parent) if os.environ.get("INOSYNC_RRSYNC") else ""
        if self._top:
            self.restrict(f'restrict,command="{program("rrsync")} -wo -no-lock {self._top}"')
        host_key = (folder / "host_key.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}")
        self._write_server_config()
        self._write_client()
        if os.getuid() == 0:
            # Debian's service file makes this directory, and nobody starts the service here.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)

    def _write_server_config(self) -> None:
        lines = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.folder / 'host_key'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            f"PidFile {self.folder / 'sshd.pid'}",
            "StrictModes no",
            "PasswordAuthentication no",
            "PermitRootLogin prohibit-password",
            f"UsePAM {'yes' if _locked_account(self.user) else 'no'}",
            "UseDNS no",
            # So bash takes itself for one in another shell and leaves the user's ~/.bashrc alone.
            "SetEnv SHLVL=5",
            "LogLevel INFO",
        ]
        self._server_config.write_text("\n".join(lines) + "\n")
        # OpenSSH 9.8 and later punish an address whose sessions end badly: here, our own killing.
        lines.append("PerSourcePenalties no")
        newer = self.folder / "sshd_config.newer"
        newer.write_text("\n".join(lines) + "\n")
        known = subprocess.run(
            [program("sshd"), "-t", "-f", str(newer)], capture_output=True, check=False
        )
        if known.returncode == 0:
            newer.replace(self._server_config)

    def _write_client(self) -> None:
        self.config.write_text(
            f"Host testhost\n  HostName 127.0.0.1\n  Port {self.port}\n"
            "Host *\n"
            f"  User {self.user}\n"
            f"  IdentityFile {self.folder / 'user_key'}\n"
            "  IdentitiesOnly yes\n"
            f"  UserKnownHostsFile {self.folder / 'known_hosts'}\n"
            "  GlobalKnownHostsFile /dev/null\n"
            "  StrictHostKeyChecking yes\n"
        )
        self.bin.mkdir()
        wrapper = self.bin / "ssh"
        real, config = shlex.quote(program("ssh")), shlex.quote(str(self.config))
        wrapper.write_text(f'#!/bin/sh\nexec {real} -F {config} "$@"\n')
        wrapper.chmod(0o755)

    def command(self) -> list[str]:
        # sshd starts itself again for each session and therefore wants its absolute path.
        mounts = [f"mount --bind {mine} {there}" for there, mine in self._files.items()]
        apart = ["unshare", "--mount", "sh", "-c", "; ".join([*mounts, 'exec "$@"']), "sh"]
        return [
            *(apart if mounts else ()),
            os.path.realpath(program("sshd")),
            "-D",
            "-f",
            str(self._server_config),
            "-E",
            str(self.log_file),
        ]

    def url(self, path: str | Path) -> str:
        """Return the destination of an absolute path on this server."""
        return f"ssh://{self.user}@127.0.0.1:{self.port}{str(path).removeprefix(self._top)}"

    def environment(self) -> dict[str, str]:
        """Return what a program that calls `ssh` needs in its environment to get in."""
        return {"PATH": f"{self.bin}:{os.environ.get('PATH', '')}"}

    def restrict(self, options: str) -> None:
        """Let the key do no more than these options of authorized_keys allow."""
        key = (self.folder / "user_key.pub").read_text()
        (self.folder / "authorized_keys").write_text(f"{options} {key}")

    def ssh(self, *arguments: str) -> list[str]:
        """Return a command line that reaches this server without a question."""
        return [program("ssh"), "-F", str(self.config), "testhost", *arguments]

    def connections(self) -> int:
        """Return how many connections have been let in since the first start."""
        return self.log().count("Accepted publickey")


def _locked_account(user: str) -> bool:
    """Tell whether sshd without PAM would refuse the user: "!" in shadow(5), as Ubuntu's root."""
    try:
        lines = Path("/etc/shadow").read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(line.startswith(f"{user}:!") for line in lines)
