"""The site, built once, and one browser for every test of it."""

from __future__ import annotations

import os
import shutil
import threading
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright
from website import server, versions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

# Else the browser tries to call home at every start, and waits.
_NO_NETWORK = (
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-gpu",
    "--disable-quic",
)


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site: strict, links and foreign hosts checked."""
    return versions.publish(tmp_path_factory.mktemp("docs"))


@pytest.fixture(scope="package")
def address(site: Path) -> Iterator[str]:
    """Serve the site as `make docs-serve` does."""
    with server.listen(site.parent) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/{site.name}/"
        listening.shutdown()
        thread.join()


@pytest.fixture(scope="module")  # while it runs, its thread has an event loop that other modules' tests would meet
def browser() -> Iterator[Browser]:
    """Start the system's Chromium, or Chrome, where `make servers` found one."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    assert path, "neither chromium nor google-chrome is installed: run `make servers`"
    with sync_playwright() as playwright:
        # root may not have the sandbox
        started = playwright.chromium.launch(
            executable_path=path, chromium_sandbox=os.geteuid() != 0, args=list(_NO_NETWORK)
        )
        yield started
        started.close()
