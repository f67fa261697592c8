"""Execution environments as processes, with ES module and CommonJS handlers, frozen and killed."""

from __future__ import annotations

from tests.nodejs.node_runner import LambdaFolder, Server


def test_environments(folder: LambdaFolder, server: Server) -> None:
    folder.run("environment", server)
