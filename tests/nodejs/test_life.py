"""The life of a connection, as node/life.test.mjs tells it, and its driver's options, against real servers."""

from __future__ import annotations

from tests.nodejs.node_runner import LambdaFolder, Server


def test_life(folder: LambdaFolder, server: Server) -> None:
    folder.run("life", server)


def test_options(folder: LambdaFolder, server: Server) -> None:
    folder.run("options", server)
