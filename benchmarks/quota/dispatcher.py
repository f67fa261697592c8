"""`python -m benchmarks.quota.dispatcher`: a dispatcher in real time, with boto3 and the processor Lambda gives it.

Its table and queues are in an emulated account, its function is a server on loopback that takes 85 ms. The share of a
processor is set by a control group (v1), which takes root.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from bisect import bisect_left
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from demo.emulator import Emulator
from demo.processes import child

from cdk_breakwater.limits.dispatcher_rate import CORE_MIB
from cdk_breakwater.quota.reachable_rate import dispatcher_memory
from handlers.quota_dispatcher.counters import Counters
from handlers.quota_dispatcher.intake import Intake
from handlers.quota_dispatcher.settings import Settings
from handlers.quota_dispatcher.tiers import TAG, fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterator

CALL_SECONDS = 0.085
PERIOD = 1_000
LONGEST_SECONDS = 100
BATCH = 100
CGROUPS = Path("/sys/fs/cgroup/cpu")
CGROUP_PERIOD = 20_000
"""Microseconds, of each of which a process gets its part. How finely Lambda divides is not published."""
DOOR = "arn:aws:sqs:us-east-1:000000000000:door"
ENVIRONMENT = """
import json, os, time
from pathlib import Path
Path(os.environ["CONTROL_GROUP"], "cgroup.procs").write_text(str(os.getpid()))
import boto3
from handlers.quota_dispatcher import dispatcher

class Context:
    def get_remaining_time_in_millis(self):
        return int(1000 * (float(os.environ["ENDS_AT"]) - time.time()))

sqs, queue = boto3.client("sqs"), os.environ["DOORBELL"]
spent = time.process_time()
while not os.path.exists(os.environ["STOP"]):
    for ring in sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages", []):
        record = {"messageId": ring["MessageId"], "body": ring["Body"], "receiptHandle": ring["ReceiptHandle"]}
        if not dispatcher.handler({"Records": [record]}, Context())["batchItemFailures"]:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=ring["ReceiptHandle"])
print(time.process_time() - spent)
"""


class Function(BaseHTTPRequestHandler):
    """What the dispatcher calls."""

    protocol_version = "HTTP/1.1"
    starts: ClassVar[list[float]] = []
    ends: ClassVar[list[float]] = []

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.starts.append(time.monotonic())
        time.sleep(CALL_SECONDS)
        self.ends.append(time.monotonic())
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"null")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base's own name
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Serves a hundred calls at once."""

    daemon_threads = True
    request_queue_size = 256


@contextmanager
def control_group(memory: int) -> Iterator[str]:
    """Make a group of processes that has the processor time of a function."""
    group = CGROUPS / f"breakwater-{os.getpid()}"
    group.mkdir()
    try:
        (group / "cpu.cfs_period_us").write_text(str(CGROUP_PERIOD))
        (group / "cpu.cfs_quota_us").write_text(str(CGROUP_PERIOD * memory // CORE_MIB))
        yield str(group)
    finally:
        group.rmdir()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=250, help="calls a second that are granted")
    parser.add_argument("--seconds", type=int, default=20, help="so much waits")
    parser.add_argument("--hands", type=int, default=100, help="calls at once")
    options = parser.parse_args()
    memory = dispatcher_memory(options.rate, options.hands, has_keys=False)
    count, ends_at = options.rate * options.seconds, time.time() + LONGEST_SECONDS
    with ExitStack() as stack:
        server = stack.enter_context(Server(("127.0.0.1", 0), Function))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        emulator = stack.enter_context(Emulator(folder))
        settings = prepare(emulator, options.rate, options.hands)
        environment = emulator._environment | {
            "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{server.server_port}",
            "BREAKWATER_QUOTA": json.dumps(asdict(settings)),
            "CONTROL_GROUP": stack.enter_context(control_group(memory)),
            "DOORBELL": settings.doorbell,
            "ENDS_AT": str(ends_at),
            "PYTHONPATH": "lambda_src",
            "STOP": str(folder / "stop"),
        }
        file(emulator, settings, count)
        log = folder / "dispatcher.log"
        process = stack.enter_context(child([sys.executable, "-c", ENVIRONMENT], environment, Path.cwd(), log))
        while len(Function.ends) < count and process.poll() is None and time.time() < ends_at:
            time.sleep(0.1)
        (folder / "stop").touch()
        process.wait(timeout=LONGEST_SECONDS)
        processor_seconds = float(log.read_text().split()[-1])
    report(options.rate, memory, processor_seconds)


def prepare(emulator: Emulator, rate: int, hands: int) -> Settings:
    """Make the table and the queues of a quota."""
    sqs = emulator.client("sqs")
    emulator.client("dynamodb").create_table(
        TableName="quota",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    doorbell, dead_letters = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("doorbell", "dead-letters"))
    settings = Settings(
        name="Quota",
        table="quota",
        function="function",
        lanes={DOOR: [1]},
        first=[0],
        former=[],
        dead_letters=dead_letters,
        doorbell=doorbell,
        ordered=False,
        parallelism=hands,
        longest_call=18_000,
        max_attempts=3,
        tiers=[{"limit": rate, "period": PERIOD}],
    )
    sqs.tag_queue(QueueUrl=doorbell, Tags={TAG: fingerprint(settings.all_tiers)})
    return settings


def file(emulator: Emulator, settings: Settings, count: int) -> None:
    """Let messages of 1 KB wait."""
    intake = Intake(settings, emulator.client("sqs"), emulator.client("dynamodb"), Counters())
    record: dict[str, Any] = {"body": "x" * 1_000, "attributes": {}, "messageAttributes": {}, "eventSourceARN": DOOR}
    for first in range(0, count, BATCH):
        records = [{**record, "messageId": f"m{number}"} for number in range(first, min(count, first + BATCH))]
        intake.file(records, lambda: int(time.time() * 1000))


def report(rate: int, memory: int, processor_seconds: float) -> None:
    """Say how fast it was in the middle of the run, and what the fullest window held."""
    starts = sorted(Function.starts)
    tenth = len(starts) // 10
    reached = (len(starts) - 2 * tenth) / (starts[-tenth - 1] - starts[tenth])
    # a call holds its place until a period after its end
    possible = rate / (PERIOD / 1000 + CALL_SECONDS)
    fullest = max(bisect_left(starts, start + PERIOD / 1000) - index for index, start in enumerate(starts))
    print(
        f"{rate} a second at {memory} MB: {reached:.1f} calls a second, {reached / possible:.1%} of what is possible; "
        f"{fullest} in the fullest second; {1_000 * processor_seconds / len(starts):.1f} ms of processor time each"
    )


if __name__ == "__main__":
    main()
