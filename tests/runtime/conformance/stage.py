"""Scenes that mostly wait, played at once: each in a thread, with a client, a network and an environment of its own."""

from __future__ import annotations

import threading
import traceback
from typing import TYPE_CHECKING

import pytest

from tests.runtime.conformance.clients import Client
from tests.runtime.conformance.trouble import Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from servers.sql import SqlServer

    Scene = Callable[[Client, Trouble, SqlServer], Coroutine[Any, Any, None]]


def play(client: Client, server: SqlServer, scenes: Mapping[str, Scene]) -> None:
    """Play each scene with a client of this kind; fail with what every scene has raised.

    One database at one address is one environment's, so that the network gives each scene an address of its own.
    """
    failures: dict[str, str] = {}

    def one(name: str, scene: Scene) -> None:
        own = Client(client.name)
        with Trouble(server) as network:
            try:
                own.finish(scene(own, network, server))
            except BaseException:
                failures[name] = traceback.format_exc()
            finally:
                own.close()

    threads = [threading.Thread(target=one, args=scene, name=scene[0]) for scene in scenes.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        pytest.fail("\n".join(f"{name}: {failure}" for name, failure in failures.items()), pytrace=False)
