"""What the servers have in common: a folder, a free port, one process, and its end."""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self

    from servers.certificates import Certificate

START_SECONDS = 60
# servers that refuse to run as root get this user, which every Linux has
UNPRIVILEGED = "nobody"
# Not TMPDIR: its path may be too long for a socket's name (107 bytes), and such a user may not be allowed into it.
SERVERS_FOLDER = Path("/tmp")  # noqa: S108 -- mkdtemp makes what lies in it


def binary(name: str, package: str) -> str:
    """Find a server's program, in the folders where Debian puts daemons too."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError(f"{name} is missing. Install it: apt-get install {package}")
    return found


def free_port() -> int:
    """Find a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server(ABC):
    """A server process; use it as a context manager.

    Attributes
    ----------
    host, port
        Where it listens; they stay the same over `stop` and `start`.
    user, password, database
        The application's: user "app" without any administrator's right, a password made anew, database "shop".
    max_connections
        As the server enforces it.
    certificate
        The server's certificate, None without TLS.
    """

    engine: str

    def __init__(self, max_connections: int, certificates: Certificate | None, *, require_tls: bool) -> None:
        if require_tls and certificates is None:
            raise ValueError("require_tls needs certificates=Certificates().right or another of its certificates")
        self.host = "127.0.0.1"
        self.port = 0
        self.user, self.password, self.database = "app", secrets.token_urlsafe(12), "shop"
        self.max_connections = max_connections
        self.certificate = certificates
        self.require_tls = require_tls
        self.folder = Path()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """Keyword arguments for `breakwater_runtime.database`."""
        return {
            "engine": self.engine,
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "max_connections": self.max_connections,
        } | ({"tls_ca": str(self.certificate.ca)} if self.certificate else {})

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="breakwater-", dir=SERVERS_FOLDER))
        atexit.register(self.__exit__)
        try:
            self._initialise()
            for attempt in range(3):
                self.port = free_port()
                try:
                    self.start()
                    break
                except RuntimeError as error:
                    # another process took the port in between
                    if attempt == 2 or "in use" not in str(error):
                        raise
            self._create_application_user()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        atexit.unregister(self.__exit__)
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        """Start the process and wait until it answers."""
        log = self.folder / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # so that Ctrl-C reaches us alone, and the server is ended in order
                **self._process_options(),
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{type(self).__name__} did not start: {log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.02)

    def stop(self, *, signal_number: signal.Signals | None = None) -> None:
        """End the process, its clients' connections with it; `signal.SIGKILL` stands for a crash."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal_number or self._stop_signal)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def freeze(self) -> None:
        """Stop answering, with every connection left as it is."""
        self._running.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on after `freeze`."""
        self._running.send_signal(signal.SIGCONT)

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{type(self).__name__} is not running")
        return self._process

    _stop_signal = signal.SIGTERM

    def _process_options(self) -> dict[str, Any]:
        return {}

    @abstractmethod
    def _initialise(self) -> None: ...

    @abstractmethod
    def _command(self) -> list[str]: ...

    @abstractmethod
    def _create_application_user(self) -> None: ...

    @abstractmethod
    def admin(self) -> Any:
        """Open an administrator's connection that needs none of the application's slots; the caller closes it."""

    @abstractmethod
    def sessions(self, user: str = "app") -> int:
        """Count the sessions of a user."""

    def _answers(self) -> bool:
        try:
            self.admin().close()
        except Exception:
            return False
        return True
