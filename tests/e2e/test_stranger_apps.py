"""Three apps of strangers, deployed by the real CLI onto an emulated account, as far as that one goes."""

from __future__ import annotations

import json
import re
import runpy
import time
from collections.abc import Iterator
from contextlib import ExitStack

import aws_cdk as cdk
import pytest
from demo.emulator import REPOSITORY, Emulator

from tests.e2e.quota.provider import Provider

EXAMPLES = ("two_stages", "migrated_app", "shipping_labels")
TIERS = [(10, 1.0)]
ORDERS = 5
# What the emulator's CloudFormation does not make, as it does no alarm on an expression of metrics. The user of a
# database would need one that answers.
NOT_EMULATED = {
    "AWS::EC2::EIP",
    "AWS::EC2::NatGateway",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "Custom::DatabaseUser",
}
CIDR_BLOCK = re.compile(r'\{"Fn::GetAtt": \["\w+", "CidrBlock"\]\}')  # an attribute that it does not know


def not_yet(app: cdk.App) -> None:
    """Leave the synth to whoever made the app."""


class Account(Emulator):
    """An account with all three: one assembly, one command."""

    def synthesize_examples(self, provider: Provider) -> None:
        """Let each example make its stacks in one app, in this process."""
        app = cdk.App(outdir=str(self._assembly), context={"provider": provider.url})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cdk, "App", lambda: app)
            patch.setattr(type(app), "synth", not_yet)
            for name in EXAMPLES:
                runpy.run_path(str(REPOSITORY / "examples" / f"{name}.py"), run_name="__main__")
        app.synth()
        for template in self._assembly.rglob("*.template.json"):
            content = json.loads(template.read_text())
            for resource in content["Resources"].values():
                if resource["Type"] in NOT_EMULATED or "Metrics" in resource.get("Properties", {}):
                    resource["Type"] = "AWS::CloudFormation::WaitConditionHandle"
                    resource.pop("Properties", None)
            template.write_text(CIDR_BLOCK.sub('"10.0.0.0/16"', json.dumps(content)))

    def deploy_examples(self) -> None:
        all_at_once = ("--concurrency", "4", "--method", "direct", "--require-approval", "never")
        self._cdk("deploy", "--app", str(self._assembly), *all_at_once, "--progress", "events", "**")
        described = self.client("cloudformation").describe_stacks()["Stacks"]
        self.status = {stack["StackName"]: stack["StackStatus"] for stack in described}
        self.outputs = {
            output["OutputKey"]: output["OutputValue"] for stack in described for output in stack.get("Outputs", [])
        }

    def limits(self, stack: str, function: str) -> tuple[int, int]:
        """Return the reserved concurrency in a function's template, and the maximum concurrency of its mapping."""
        (template,) = (
            json.loads(file.read_text())
            for file in self._assembly.rglob("*.template.json")
            if file.name.startswith(stack.replace("-", ""))
        )
        (reserved,) = (
            resource["Properties"]["ReservedConcurrentExecutions"]
            for id_, resource in template["Resources"].items()
            if resource["Type"] == "AWS::Lambda::Function" and id_.startswith(function)
        )
        (maximum,) = (
            mapping["ScalingConfig"]["MaximumConcurrency"]
            for mapping in self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
            if f"{stack}-{function}" in mapping["FunctionArn"]
        )
        return reserved, maximum


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider(TIERS) as provider:
        yield provider


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Iterator[Account]:
    with ExitStack() as stack:
        account = stack.enter_context(Account(tmp_path_factory.mktemp("account")))
        account.synthesize_examples(provider)
        account.bootstrap()
        account.deploy_examples()
        yield account


def test_all_stacks_are_deployed(account: Account) -> None:
    status = {name: state for name, state in account.status.items() if name != "CDKToolkit"}
    names = (
        "Delivery",
        "Staging-Data",
        "Staging-Orders",
        "Production-Data",
        "Production-Orders",
        "Warehouse",
        "Labels",
    )
    assert status == dict.fromkeys(names, "CREATE_COMPLETE")


@pytest.mark.parametrize(
    ("stack", "function"), [("Staging-Orders", "Write"), ("Production-Orders", "Write"), ("Warehouse", "Worker")]
)
def test_a_queue_starts_as_many_as_the_share_allows(account: Account, stack: str, function: str) -> None:
    reserved, maximum = account.limits(stack, function)
    assert reserved == maximum >= 2


def test_an_order_becomes_a_label_within_the_quota(account: Account, provider: Provider) -> None:
    queue = account.client("sqs")
    bodies = [f"order {number}" for number in range(ORDERS)]
    for body in bodies:
        queue.send_message(QueueUrl=account.outputs["Queue"], MessageBody=body)
    deadline = time.monotonic() + 120
    while len({body for _, body in provider.accepted}) < ORDERS:
        assert time.monotonic() < deadline, provider.accepted
        time.sleep(0.1)
    # At least once: a machine that is too busy to answer in time has it made again.
    assert {body for _, body in provider.accepted} == set(bodies)
    assert provider.refused == 0
