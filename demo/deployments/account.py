"""README's first app in an emulated account, in which CloudFormation reserves concurrency, on a real MariaDB."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError, HTTPClientError
from servers.administrator import NAME, create_administrator

from demo.emulator import REPOSITORY, Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from servers import MariaDbServer

GUARDED, UNGUARDED = "Guarded", "Unguarded"
BUDGET, USABLE = 12, 15  # of 20: five are the engine's own, four fifths of the rest are shared
Functions = dict[str, dict[str, int]]
ORDERS: Functions = {"Orders": {}}
REPORTS: Functions = {"Reports": {"share_weight": 2}}
NIGHTLY: Functions = {"Nightly": {"concurrency": 1}}
SEARCH: Functions = {"Search": {"share_weight": 2}}
STAGES: dict[str, dict[str, Any]] = {
    "created": {"functions": ORDERS | REPORTS | NIGHTLY},
    "failed": {"functions": ORDERS | REPORTS | NIGHTLY | SEARCH, "fails": True},
    "weighted": {"functions": {"Orders": {"share_weight": 9}} | REPORTS | NIGHTLY},
    "renamed": {"functions": {"Purchases": {}} | REPORTS | NIGHTLY},
}


class Account(Emulator):
    """An emulated account in which the shop is deployed, at one stage of its life after the other."""

    program: ClassVar[tuple[str, ...]] = (str(Path(__file__).with_name("reserving_emulator.py")),)
    stage = "created"
    stack = GUARDED

    @property
    def _assembly(self) -> Path:
        return self.folder / self.stack / self.stage

    def _reserve_concurrency(self, stack: str) -> None:
        """Nothing: the emulator does it here."""

    def make_stages(self, server: MariaDbServer) -> None:
        assert server.certificate is not None
        login = {"username": NAME, "password": create_administrator(server), "dbname": server.database}
        secret = self.client("secretsmanager").create_secret(Name="shop", SecretString=json.dumps(login))
        database = {
            "host": server.host,
            "port": server.port,
            "max_connections": server.max_connections,
            "secret_arn": secret["ARN"],
            "certificate_authority": str(server.certificate.ca),
        }
        stages = {
            str(self.folder / stack / stage): database | changed | {"stack": stack, "guarded": stack == GUARDED}
            for stack in (GUARDED, UNGUARDED)
            for stage, changed in STAGES.items()
        }
        command = [sys.executable, "-m", "demo.deployments.shop_app"]
        subprocess.run(command, input=json.dumps(stages), cwd=REPOSITORY, env=self._environment, text=True, check=True)

    def put(self, stage: str) -> int:
        """Deploy a stage, and return the most that was reserved at any time of it."""
        before, self.stage = len(self.changes()), stage
        self.deploy(self.stack)
        return max((sum(change["held"].values()) for change in self.changes()[before:]), default=0)

    def changes(self) -> list[dict[str, Any]]:
        log = self.folder / "reservations.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def reserved(self) -> dict[str, int]:
        """Give what Lambda reserves, by the name in the app."""
        functions = self.client("lambda")
        outputs = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]["Outputs"]
        return {
            output["OutputKey"].removesuffix("Name"): functions.get_function_concurrency(
                FunctionName=output["OutputValue"]
            )["ReservedConcurrentExecutions"]
            for output in outputs
            if output["OutputKey"].endswith("Name")
        }

    def plan(self, stage: str, *options: str) -> dict[str, Any]:
        done = self.breakwater("plan", str(self.folder / self.stack / stage), *options, "--format", "json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def breakwater(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(Path(sys.executable).with_name("breakwater")), *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)


@contextmanager
def load(account: Account, errors: list[str], callers: int = 2, seconds: float = 0.05) -> Iterator[dict[str, int]]:
    """Invoke every function that there is, over and over, and count what comes of it."""
    done, over = {"answered": 0, "throttled": 0, "failed": 0, "lost": 0}, threading.Event()
    payload = json.dumps({"seconds": seconds})

    def invoke(first: int) -> None:
        client = account.client("lambda")
        while not over.is_set():
            found = [f["FunctionName"] for f in client.list_functions()["Functions"]]
            names = [name for name in found if "DeploymentGuard" not in name]
            for name in names[first % max(1, len(names)) :] + names[: first % max(1, len(names))]:
                try:
                    answer = client.invoke(FunctionName=name, Payload=payload)
                    done["failed" if "FunctionError" in answer else "answered"] += 1
                    if "FunctionError" in answer:
                        errors.append(answer["Payload"].read().decode())
                except ClientError as error:  # noqa: PERF203 -- throttles are counted
                    gone = error.response["Error"]["Code"] == "ResourceNotFoundException"
                    done["answered" if gone else "throttled"] += 1
                    over.wait(0.2)
                except HTTPClientError:
                    # The emulator ended the process of a function that it changed or deleted, and says nothing.
                    done["lost"] += 1

    threads = [threading.Thread(target=invoke, args=(number,)) for number in range(callers)]
    for thread in threads:
        thread.start()
    try:
        yield done
    finally:
        over.set()
        for thread in threads:
            thread.join()
