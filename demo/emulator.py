"""An AWS account on this machine: ministack, with the real CDK CLI in front."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import boto3
import urllib3
from botocore.config import Config
from servers.server import free_port

from demo.processes import CommandError, child, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Self

    from demo.administrator import SqlServer

REPOSITORY = Path(__file__).parents[1]
CLI = REPOSITORY / "node_modules" / "aws-cdk" / "bin" / "cdk"
NODE = Path(sys.executable).parent / "node"

ACCOUNT, REGION = "000000000000", "us-east-1"
CREDENTIALS = {"aws_access_key_id": ACCOUNT, "aws_secret_access_key": "emulated"}  # the id names the account
# Concurrent executions in the whole account. 50 is what many new accounts have (AWS Lambda Developer Guide, "Lambda
# quotas": new accounts start with less than the default of 1,000); here it also bounds the processes on this machine.
CONCURRENCY_QUOTA = 50
START_SECONDS = 60


class Emulator:
    """An emulated account, for as long as the block lasts.

    Functions run as processes of this machine: each execution environment is one, kept for the next invocation, as
    on AWS, until the function is deleted or fails. So a connection that one of them holds is a connection of a frozen
    or running environment.
    """

    program: ClassVar[tuple[str, ...]] = ("-m", "ministack")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "emulator.log"
        self.recording = folder / "recording.jsonl"
        self.port = 0
        self._stack = ExitStack()
        self._environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        for needed, command in ((NODE, "make install"), (CLI, "make install")):
            if not needed.exists():
                raise FileNotFoundError(f"{needed.name} is missing here: {needed}. Install it: {command}")
        with ExitStack() as stack:
            self.port = free_port()
            self._environment = self._isolated_environment()
            command = [sys.executable, *self.program]
            process = stack.enter_context(child(command, self._environment, self.folder, self.log))
            deadline = time.monotonic() + START_SECONDS
            while not self._ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise CommandError(command, process.returncode or 0, self.log)
                time.sleep(0.1)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    @property
    def url(self) -> str:
        """Where each service answers."""
        return f"http://127.0.0.1:{self.port}"

    def _isolated_environment(self) -> dict[str, str]:
        """Let nothing of the user's own AWS configuration in: no command here may reach a real account."""
        temporary = self.folder / "tmp"
        temporary.mkdir()
        return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | {
            "AWS_ENDPOINT_URL": self.url,
            **{name.upper(): value for name, value in CREDENTIALS.items()},
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "NO_PROXY": "127.0.0.1,localhost",
            "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "JSII_NODE": str(NODE),
            "TMPDIR": str(temporary),
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": "127.0.0.1",
            "LOG_LEVEL": "WARNING",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
            "S3_DATA_DIR": str(temporary / "s3"),
            "LAMBDA_ACCOUNT_CONCURRENCY": str(CONCURRENCY_QUOTA),
            "CDK_DISABLE_VERSION_CHECK": "true",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
        }

    def _ready(self) -> bool:
        try:
            return urllib3.request("GET", f"{self.url}/_ministack/ready", timeout=2, retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def client(self, service: Any) -> Any:
        """Make a boto3 client for it that never retries: a throttle is to be seen, not to be hidden."""
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=32, proxies={})
        session = boto3.Session(**CREDENTIALS, region_name=REGION)
        return session.client(service, endpoint_url=self.url, config=config)

    def describe(self, name: str, server: SqlServer, authority: Path) -> dict[str, Any]:
        """Tell an app about a server; its password goes into the emulator's Secrets Manager and nowhere else."""
        login = {"username": server.user, "password": server.password, "dbname": server.database}
        secret = self.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(login))
        return {
            "engine": server.engine,
            "host": server.host,
            "port": server.port,
            "name": server.database,
            "max_connections": server.max_connections,
            "secret_arn": secret["ARN"],
            "certificate_authority": str(authority),
        }

    def bootstrap(self) -> None:
        """Prepare the account for the CDK."""
        # in a folder without a cdk.json, so that no app is synthesized for it
        self._cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}", cwd=self.folder)

    def synthesize(self, settings: Mapping[str, Any], module: str = "demo.app") -> None:
        """Synthesize the app that a module is; `settings` reach it as the context value "demo"."""
        app = f"{sys.executable} -m {module}"
        self._cdk("synth", "--quiet", "--app", app, "--output", str(self._assembly), *_context(settings))

    def deploy(self, stack: str) -> dict[str, str]:
        """Deploy a stack that has been synthesized, and return its outputs."""
        self._cdk("deploy", "--app", str(self._assembly), "--require-approval", "never", "--progress", "events", stack)
        self._reserve_concurrency(stack)
        (described,) = self.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}

    def delete_functions(self, stack: str) -> None:
        """Delete a stack's functions, and their execution environments with them."""
        # Not the stack: the emulator's CloudFormation lets the processes of a deleted function live.
        functions = self.client("lambda")
        for name in self.functions(stack).values():
            functions.delete_function(FunctionName=name)

    def template(self, stack: str) -> Path:
        """Return where a stack's template is."""
        return self._assembly / f"{stack}.template.json"

    def functions(self, stack: str) -> dict[str, str]:
        """Return what the functions of a deployed stack are called, by logical id."""
        resources = self.client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
        return {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in resources
            if resource["ResourceType"] == "AWS::Lambda::Function"
        }

    @property
    def _assembly(self) -> Path:
        return self.folder / "cdk.out"

    def _cdk(self, *arguments: str, cwd: Path = REPOSITORY) -> None:
        command = [str(NODE), str(CLI), *arguments, "--no-notices", "--no-color"]
        run(command, self._environment, cwd, self.folder / "cdk.log")

    def resources(self, stack: str) -> dict[str, dict[str, Any]]:
        """Return the resources of a stack's template, by logical id."""
        return json.loads(self.template(stack).read_text())["Resources"]

    def physical_id(self, stack: str, logical_id: str) -> str:
        """Return what a resource of a deployed stack is called."""
        described = self.client("cloudformation").describe_stack_resource(StackName=stack, LogicalResourceId=logical_id)
        return described["StackResourceDetail"]["PhysicalResourceId"]

    def _reserve_concurrency(self, stack: str) -> None:
        """Do what CloudFormation does with ReservedConcurrentExecutions, and the emulator's leaves out."""
        functions = self.client("lambda")
        for name, resource in self.resources(stack).items():
            reserved = resource.get("Properties", {}).get("ReservedConcurrentExecutions")
            if resource["Type"] == "AWS::Lambda::Function" and reserved is not None:
                functions.put_function_concurrency(
                    FunctionName=self.physical_id(stack, name), ReservedConcurrentExecutions=reserved
                )


class RecordingEmulator(Emulator):
    """One that writes down what came when, and how long each invocation took."""

    program: ClassVar[tuple[str, ...]] = (str(Path(__file__).with_name("recording_emulator.py")),)


def _context(settings: Mapping[str, Any]) -> list[str]:
    return ["--context", f"demo={json.dumps(settings)}"]
