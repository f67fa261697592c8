"""Real templates, deployed by the real CLI onto an emulated account, against a real HTTP server."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from demo.emulator import Emulator

from tests.e2e.quota.network import FaultyNetwork
from tests.e2e.quota.provider import WARM_UP, KeyedProvider, Provider
from tests.e2e.quota.quota_app import CLOSED, EACH, FAILING, KEYED, NOISY, PLANNED, QUIET, TIERS

if TYPE_CHECKING:
    from collections.abc import Iterator

PROOFS = ("steady", "killed", "ordered", "signals", "beside", "divided", "troubled", "lowered")


class QuotaAccount(Emulator):
    """An account with one quota per proof."""

    def deploy_quotas(self, providers: dict[str, Provider]) -> None:
        self.providers = providers
        self.network = self._stack.enter_context(FaultyNetwork(self.url))
        self.bootstrap()
        self._synth()
        self.outputs = self.deploy("Quota")
        self.shop = self.deploy("Shop")
        self.sqs = self.client("sqs")

    def lower(self, name: str) -> None:
        """Deploy a quota again, with lower tiers."""
        self._synth("--context", f"lowered={name}")
        self.deploy("Quota")

    def _synth(self, *options: str) -> None:
        app = f"{sys.executable} -m tests.e2e.quota.quota_app"
        providers = json.dumps({name: provider.url for name, provider in self.providers.items()})
        context = ("--context", f"providers={providers}", "--context", f"network={self.network.url}", *options)
        self._cdk("synth", "--quiet", "--app", app, "--output", str(self._assembly), *context)

    def send(self, name: str, bodies: list[str], *, fifo: bool = False) -> None:
        """Send messages; with FIFO, the first letter is the group."""
        for start in range(0, len(bodies), 10):
            entries = [
                {
                    "Id": str(index),
                    "MessageBody": body,
                    **({"MessageGroupId": body[0], "MessageDeduplicationId": body} if fifo else {}),
                }
                for index, body in enumerate(bodies[start : start + 10])
            ]
            assert not self.sqs.send_message_batch(QueueUrl=self.outputs[f"{name}Queue"], Entries=entries).get("Failed")

    def duration(self, name: str) -> float:
        """Return how long a warm call of a quota's function takes (s)."""
        event = json.dumps({"Records": [{"body": WARM_UP}]})
        functions = self.client("lambda")
        durations = []
        for _ in range(20):
            began = time.monotonic()
            functions.invoke(FunctionName=self.outputs[f"{name}Caller"], Payload=event)
            durations.append(time.monotonic() - began)
        return median(durations)

    def page(self, body: str) -> str:
        """Have a page call the provider at once; return what it answers."""
        answer = self.client("lambda").invoke(FunctionName=self.shop["Page"], Payload=json.dumps(body))
        said = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, said
        return said

    def dispatchers(self, name: str) -> list[psutil.Process]:
        """Return the processes in which the dispatcher of a quota runs."""
        function = self.outputs[f"{name}Dispatcher"]
        return [
            process
            for process in psutil.process_iter(["environ"])
            if (process.info["environ"] or {}).get("AWS_LAMBDA_FUNCTION_NAME") == function
        ]

    def dead_letters(self, name: str) -> list[dict[str, Any]]:
        return self.sqs.receive_message(
            QueueUrl=self.outputs[f"{name}DeadLetters"], MessageAttributeNames=["All"], MaxNumberOfMessages=10
        ).get("Messages", [])


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuotaAccount]:
    with ExitStack() as stack:
        providers = {name: stack.enter_context(Provider(TIERS)) for name in PROOFS}
        providers[KEYED] = stack.enter_context(KeyedProvider(TIERS, EACH, [*QUIET, NOISY, CLOSED, FAILING, PLANNED]))
        account = stack.enter_context(QuotaAccount(tmp_path_factory.mktemp("account")))
        account.deploy_quotas(providers)
        yield account
