"""The stack, without an AWS account: nothing is bundled, so no layer is built."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk.assertions import Match, Template
from shipping_labels import Labels


def test_the_provider_is_the_one_that_was_given() -> None:
    app = cdk.App(context={"aws:cdk:bundling-stacks": []})
    template = Template.from_stack(Labels(app, "Labels", provider="https://sandbox.example.net"))
    environment = Match.object_like({"Variables": {"PROVIDER": "https://sandbox.example.net"}})
    template.has_resource_properties("AWS::Lambda::Function", {"Handler": "labels.handler", "Environment": environment})
