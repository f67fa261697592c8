"""What must not change by accident."""

import aws_cdk as cdk
from app import Orders
from aws_cdk.assertions import Template


def test_the_writers_take_no_more_than_their_share() -> None:
    """Whoever changes the app sees here what it does to the database."""
    template = Template.from_stack(Orders(cdk.App(), "Orders"))
    (writer,) = template.find_resources("AWS::Lambda::Function", {"Properties": {"Handler": "writer.handler"}}).values()
    share = writer["Properties"]["ReservedConcurrentExecutions"]
    assert 0 < share < 80
    mapping = {"ScalingConfig": {"MaximumConcurrency": share}}
    template.has_resource_properties("AWS::Lambda::EventSourceMapping", mapping)
