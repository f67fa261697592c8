"""Runs a file of tests with Node.js's own runner, in a folder that sees the layer as a function does."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from servers import MariaDbServer, PostgreSqlServer

from cdk_breakwater.layers.build_cache import cached
from cdk_breakwater.layers.node_layer import node_layer_content

FILES = Path(__file__).parent
NODE = Path(sys.executable).with_name("node")
SECONDS = 120
Server = MariaDbServer | PostgreSqlServer


def sdk() -> Path:
    """Install what Lambda's runtimes bring, as the lock file pins it; once on a machine."""
    pins = {name: (FILES / name).read_text() for name in ("package.json", "package-lock.json")}

    def fill(folder: Path) -> None:
        for name, text in pins.items():
            (folder / name).write_text(text)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)

    path = os.environ.get("PATH", "")
    os.environ["PATH"] = f"{NODE.parent}{os.pathsep}{path}"
    try:
        return cached("tests", "test-packages", list(pins.values()), fill) / "node_modules"
    finally:
        os.environ["PATH"] = path


class LambdaFolder:
    """A function's code beside its layer; `run` is Node.js's own test runner in it."""

    def __init__(self, folder: Path, certificate_authority: str | None = None) -> None:
        self.code = folder / "task"
        shutil.copytree(FILES / "node", self.code)
        modules = node_layer_content("tests", certificate_authority) / "nodejs" / "node_modules"
        # an ES module looks in node_modules alone; Lambda's Node.js makes it look into layers, too
        (self.code / "node_modules").symlink_to(modules)

    def environment(self, **variables: str) -> dict[str, str]:
        # Lambda's NODE_PATH: the layer's modules, then those that the runtime brings
        paths = [str(self.code / "node_modules"), str(sdk())]
        return {**os.environ, "NODE_PATH": os.pathsep.join(paths), "NO_COLOR": "1", **variables}

    def run(self, file: str, server: Server | None = None, **variables: str) -> int:
        """Run a file's tests and return how many there were: at least one, and none failed or was skipped."""
        if server is not None:
            variables["TEST_SERVER"] = json.dumps(description(server))
        # a test that fails may leave connections behind, which would keep the process
        options = ["--no-experimental-require-module", "--test-force-exit", "--test-reporter=tap"]
        try:
            done = subprocess.run(
                [NODE, *options, f"{file}.test.mjs"],
                cwd=self.code,
                env=self.environment(**variables),
                capture_output=True,
                text=True,
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise AssertionError(f"{file}: not done within {SECONDS} s\n{error.stdout!r}") from None
        counts = {name: int(count) for name, count in re.findall(r"^# (\w+) (\d+)$", done.stdout, re.MULTILINE)}
        ran = counts.get("pass", 0)
        assert done.returncode == 0, f"{file}\n{done.stdout}\n{done.stderr}"
        assert ran > 0, f"{file} ran no test\n{done.stdout}"
        assert ran == counts["tests"], f"{file} ran {ran} of {counts['tests']} tests\n{done.stdout}"
        return ran


def description(server: Server) -> dict[str, Any]:
    """Return what support.mjs needs to know about a server."""
    login = {"host": server.host, "port": server.port, "password": server.password, "database": server.database}
    if isinstance(server, PostgreSqlServer):
        admin = {"host": str(server.folder), "port": server.port, "user": "postgres", "database": "postgres"}
    else:
        with server.admin() as connection:
            admin = {
                "host": server.host,
                "port": connection.port,
                "user": str(connection.user, "ascii") if isinstance(connection.user, bytes) else connection.user,
                "password": str(connection.password, "latin1")
                if isinstance(connection.password, bytes)
                else connection.password,
            }
    return {
        "engine": server.engine,
        **login,
        "user": server.user,
        "admin": admin,
        "neighbour": {**login, "user": "neighbour"},
    }
