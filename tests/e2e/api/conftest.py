"""The APIs, deployed by the real CLI onto an emulated account."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import pytest
import urllib3
from demo.emulator import Emulator

from tests.e2e.api.api_app import STACK
from tests.e2e.rest_apis import limit_routes, validate_requests

if TYPE_CHECKING:
    from collections.abc import Iterator


class Burst(NamedTuple):
    """What became of requests sent one after the other."""

    answers: list[urllib3.BaseHTTPResponse]
    seconds: float

    def with_status(self, status: int) -> list[urllib3.BaseHTTPResponse]:
        return [answer for answer in self.answers if answer.status == status]

    def held(self, rate: float, burst: int) -> bool:
        """Say whether as many came through as a token bucket has, and all others got 429."""
        accepted = len(self.with_status(200))
        others = len(self.answers) - accepted
        return burst <= accepted <= burst + rate * self.seconds + 1e-9 and others == len(self.with_status(429))


class ApiAccount(Emulator):
    """An account with the APIs of `api_app`."""

    def deploy_apis(self) -> None:
        self.bootstrap()
        self.gate = self.folder / "gate"
        self.synthesize({"gate": str(self.gate)}, "tests.e2e.api.api_app")
        self.outputs = self.deploy(STACK)
        validate_requests(self, STACK)
        limit_routes(self, STACK)
        gateway = self.client("apigateway")
        self.keys = {
            name: gateway.get_api_key(apiKey=self.outputs[f"Key{name}"], includeValue=True)["value"]
            for name in ("small", "large", "daily")
        }
        self._http = urllib3.PoolManager(retries=False, timeout=29, maxsize=16)

    def request(
        self, api: str, path: str, *, method: str = "GET", body: str | None = None, **headers: str
    ) -> urllib3.BaseHTTPResponse:
        """Ask one of the APIs; the emulator tells them apart by their host name, as AWS does."""
        stage = f"/{self.outputs[f'{api}Stage']}" if f"{api}Stage" in self.outputs else ""
        host = f"{self.outputs[f'{api}Id']}.execute-api.localhost:{self.port}"
        sent = {"Host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self._http.request(method, f"{self.url}{stage}{path}", body=body, headers=sent)

    def call_url(self, count: int, answered: int) -> list[int]:
        """Call the function URL that many times at once, open the gate once so many are answered; give the statuses."""
        url = urllib3.util.parse_url(self.outputs["Url"])
        with ThreadPoolExecutor(count) as callers:
            calls = [
                callers.submit(self._http.request, "GET", f"{self.url}/", headers={"Host": f"{url.host}:{self.port}"})
                for _ in range(count)
            ]
            for _ in islice(as_completed(calls), answered):
                pass
            self.gate.touch()
            return [call.result().status for call in calls]

    def burst(
        self, count: int, api: str, path: str, *, method: str = "GET", body: str | None = None, **headers: str
    ) -> Burst:
        began = time.monotonic()
        answers = [self.request(api, path, method=method, body=body, **headers) for _ in range(count)]
        return Burst(answers, time.monotonic() - began)


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiAccount]:
    with ApiAccount(tmp_path_factory.mktemp("account")) as account:
        account.deploy_apis()
        yield account
