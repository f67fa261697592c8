"""The faults of the packages that the layer guards against are there: the guards' tests are not empty."""

from __future__ import annotations

from tests.nodejs.node_runner import LambdaFolder, Server


def test_upstream(folder: LambdaFolder, server: Server) -> None:
    folder.run("upstream", server)
