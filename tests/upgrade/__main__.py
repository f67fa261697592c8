"""`python -m tests.upgrade REVISION`: deploy an older release's templates, then these over them, under load."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import tarfile
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.emulator import REPOSITORY, Emulator
from demo.sessions import Sessions
from rich.console import Console
from rich.table import Table
from servers import Certificates, MariaDbServer

from tests.e2e.quota.provider import Provider, most
from tests.e2e.sources.effects import make_tables, read_effects
from tests.upgrade.upgraded_app import STACK, TIERS

if TYPE_CHECKING:
    from collections.abc import Callable

ORDERS_A_SECOND, CALLS_A_SECOND = 20, 8
SECONDS_AROUND = 10
"""Load before the upgrade, and after it."""
PATIENCE_SECONDS = 180
RENEWED = ("AWS::CDK::Metadata", "AWS::Lambda::LayerVersion")
"""What no upgrade keeps, and nobody misses."""


class UpgradedAccount(Emulator):
    """An account in which the stack is deployed from one release, and then from another."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.outputs: dict[str, str] = {}

    def deploy_release(self, sources: Path, settings: dict[str, Any]) -> None:
        """Synthesize the app with the library in this folder, and deploy it."""
        self._environment["PYTHONPATH"] = os.pathsep.join(str(sources / each) for each in ("constructs", "lambda_src"))
        self.synthesize(settings, "tests.upgrade.upgraded_app")
        self.outputs = self.deploy(STACK)

    def identities(self) -> dict[str, tuple[str, str]]:
        """Return type and physical id of every resource, by its logical id."""
        described = self.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        return {each["LogicalResourceId"]: (each["ResourceType"], each["PhysicalResourceId"]) for each in described}

    def dead_letters(self, name: str) -> int:
        """Count the messages in a dead-letter queue."""
        answer = self.client("sqs").get_queue_attributes(
            QueueUrl=self.outputs[f"{name}DeadLetters"], AttributeNames=["ApproximateNumberOfMessages"]
        )
        return int(answer["Attributes"]["ApproximateNumberOfMessages"])


class Load:
    """Orders and calls, one after another at their rates, for as long as the block lasts."""

    def __init__(self, account: UpgradedAccount) -> None:
        self.orders = self.calls = 0
        self._account = account
        self._over = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._send_orders, self._send_calls)]

    def _send_orders(self) -> None:
        sqs = self._account.client("sqs")
        while not self._over.wait(1 / ORDERS_A_SECOND):
            record = {"number": self.orders, "group": self.orders % 50, "poison": False}
            sqs.send_message(QueueUrl=self._account.outputs["OrdersQueue"], MessageBody=json.dumps(record))
            self.orders += 1

    def _send_calls(self) -> None:
        sqs = self._account.client("sqs")
        while not self._over.wait(1 / CALLS_A_SECOND):
            sqs.send_message(QueueUrl=self._account.outputs["CallsQueue"], MessageBody=f"call {self.calls}")
            self.calls += 1

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


def unpack(revision: str, folder: Path) -> Path:
    """Take the library of a revision out of git."""
    command = ["git", "archive", revision, "constructs", "lambda_src"]
    packed = subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for it."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {PATIENCE_SECONDS} s")
        time.sleep(0.2)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", help="of git: a tag, a branch or a commit")
    revision: str = parser.parse_args().revision
    console, certificate = Console(), Certificates().right
    with ExitStack() as stack:
        status = stack.enter_context(console.status("Start a database and the account …"))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(MariaDbServer(13, certificate, require_tls=True))
        provider = stack.enter_context(Provider(TIERS))
        account = stack.enter_context(UpgradedAccount(folder))
        database = account.describe("Orders", server, certificate.ca)
        settings = {"database": database, "provider": provider.url}
        account.bootstrap()
        make_tables(server)
        status.update(f"Deploy {revision} …")
        account.deploy_release(unpack(revision, folder / "before"), settings)
        before = account.identities()
        with Sessions(server) as sessions:
            with Load(account) as load:
                time.sleep(SECONDS_AROUND)
                status.update("Deploy this release over it, under load …")
                account.deploy_release(REPOSITORY, settings)
                time.sleep(SECONDS_AROUND)
            status.update("Wait for what is left …")
            until(lambda: len(read_effects(server).numbers) >= load.orders, "all orders written")
            until(lambda: len({body for _, body in provider.accepted}) >= load.calls, "all calls made")
        after_ids = {id_ for _, id_ in account.identities().values()}
        written, totals = read_effects(server).numbers, sum(read_effects(server).counted.values())
        made = Counter(body for _, body in provider.accepted)
        instants = [instant for instant, _ in provider.accepted]
        letters = account.dead_letters("Orders") + account.dead_letters("Calls")
    table = Table("", "sent", "done", "repeated", title=f"From {revision} to here, under load")
    table.add_row("orders written", str(load.orders), str(len(written)), str(totals - len(written)))
    table.add_row("calls made", str(load.calls), str(len(made)), str(sum(made.values()) - len(made)))
    console.print(table)
    exceeded = [(limit, period) for limit, period in TIERS if most(instants, period) > limit]
    lost = [f"{name} ({kind})" for name, (kind, id_) in before.items() if kind not in RENEWED and id_ not in after_ids]
    console.print(f"dead letters {letters}; calls refused {provider.refused}; windows exceeded {exceeded}")
    console.print(f"connections at most {sessions.peak}, refused {sessions.refused}")
    console.print(f"replaced or gone: {', '.join(lost) or 'nothing but layers'}")
    done = len(written) == totals == load.orders and len(made) == load.calls
    return int(not done or bool(letters or exceeded or lost or provider.refused or sessions.refused))


if __name__ == "__main__":
    raise SystemExit(main())
