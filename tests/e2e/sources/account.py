"""An emulated account with the four sources deployed, and a real database behind each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from demo.emulator import Emulator

from tests.e2e.sources.sources_app import STACK

if TYPE_CHECKING:
    from demo.administrator import SqlServer

# Five receives of a poison message take 5 x 120 s with the timeout that the template has, 6 x the function's; here they
# take 5 x 4 s.
VISIBILITY_SECONDS = 4


class SourcesAccount(Emulator):
    """Deploys the stack, and looks at what is left in queues and buckets."""

    program: ClassVar[tuple[str, ...]] = (str(Path(__file__).with_name("enduring_emulator.py")),)

    def deploy_sources(self, servers: dict[str, SqlServer], certificate_authority: Path) -> None:
        self.bootstrap()
        settings = {name: self.describe(name, server, certificate_authority) for name, server in servers.items()}
        self.synthesize(settings, "tests.e2e.sources.sources_app")
        self.outputs = self.deploy(STACK)
        for name in ("StandardQueue", "FifoQueue"):
            self.client("sqs").set_queue_attributes(
                QueueUrl=self.outputs[name], Attributes={"VisibilityTimeout": str(VISIBILITY_SECONDS)}
            )

    def mend(self, name: str) -> None:
        """Let a function take what it has refused so far."""
        functions, function = self.client("lambda"), self.outputs[f"{name}Function"]
        variables = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"]
        functions.update_function_configuration(
            FunctionName=function, Environment={"Variables": variables | {"MENDED": "1"}}
        )

    def messages(self, url: str) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = self.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)
        return sum(int(answer["Attributes"][name]) for name in names)

    def dead_letters(self, url: str) -> list[dict[str, Any]]:
        """Take the records out of a dead-letter queue."""
        sqs = self.client("sqs")
        found: list[dict[str, Any]] = []
        while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            found += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def kept(self, bucket: str) -> list[dict[str, Any]]:
        """Give the records that a bucket keeps, as the stream had them."""
        s3 = self.client("s3")
        found: list[dict[str, Any]] = []
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="aws/lambda/"):
            for listed in page.get("Contents", []):
                body = s3.get_object(Bucket=bucket, Key=listed["Key"])["Body"].read()
                found += json.loads(json.loads(body)["payload"])["Records"]
        return found

    def breakwater(self, *arguments: str) -> str:
        """Run the command against this account, and give what it prints."""
        command = [str(Path(sys.executable).with_name("breakwater")), *arguments]
        environment = {**self._environment, "COLUMNS": "200"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
