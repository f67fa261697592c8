"""What does not fit is refused."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Template

from cdk_breakwater import ApiProtocol, BreakwaterError, DecoupledInvocation, InvocationSource
from cdk_breakwater.front_door.job_results import JobResults

from .doors import method, open_door, table, text


class TestErrors:
    @pytest.mark.parametrize(
        ("kind", "options", "message"),
        [
            (
                "sqs",
                {"order_by": "$.customer"},
                r"Stack/Jobs: a standard queue doesn't keep its messages in order\. Use .*fifo=True",
            ),
            ("dynamodb", {"order_by": "$.customer"}, r"Stack/Jobs: a table doesn't keep its items in order"),
            (
                "fifo",
                {"order_by": "customer')"},
                r"order_by=\"customer'\)\" is not a path to a single value\. Use only member names",
            ),
            ("sqs", {"path": "/"}, r"Stack/Jobs/Door: path='/' names no resource\. Name it, such as \"orders\""),
            ("sqs", {"protocol": ApiProtocol.HTTP}, r"Stack/Jobs/Door: an HTTP API has no mapping templates"),
            (
                "sqs",
                {"default_cors_preflight_options": apigateway.CorsOptions(allow_origins=["https://a", "https://b"])},
                r"Stack/Jobs/Door: allow_origins names 2 origins, and an answer can name one\. Name one, or '\*'",
            ),
            ("sqs", {"partition_key": "id"}, r"partition_key is for a table as source"),
            *(
                ("sqs", {"path": path}, r"Stack/Jobs/Door: path='.*' is not a plain path")
                for path in ("{proxy+}", "orders/{id}", "orders/{customer}", "größe", "a b", "a//b")
            ),
            ("sqs", {"max_body": cdk.Size.mebibytes(2)}, r"Jobs: max_body is 2097152 bytes\. It is 1 to 1048576"),
            ("dynamodb", {"max_body": cdk.Size.kibibytes(391)}, r"Jobs: max_body is 400384 bytes\. It is 1 to 399360"),
            ("sqs", {"result_ttl": cdk.Duration.seconds(5)}, r"Door: result_ttl is 5 seconds\. It is 60 s or more"),
            ("sqs", {"result_ttl": cdk.Duration.millis(60_500)}, r"Door: result_ttl is .*\. Give a Duration of whole"),
            ("sqs", {"retry_after": cdk.Duration.millis(1_500)}, r"Door: retry_after is .*\. Give a Duration of whole"),
            ("sqs", {"retry_after": 5}, r"Door: retry_after is 5\. Give a Duration of whole seconds"),
            ("sqs", {"max_body": 5}, r"Door: max_body is 5\. Give a Size, such as"),
            ("sqs", {"results_concurrency": 0}, r"Door: results_concurrency must be a whole number of at least 1"),
            ("sqs", {"retry_after": cdk.Duration.seconds(0)}, r"retry_after in seconds must be a whole number of at"),
            ("sqs", {"rate_limit": 0}, r"rate_limit of .* must be above 0 \(given 0\)"),
            ("sqs", {"acknowledge_no_authorization": " "}, r"acknowledge_no_authorization is empty"),
        ],
    )
    def test_what_does_not_fit(
        self, stack: cdk.Stack, function: lambda_.Function, kind: str, options: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(BreakwaterError, match=message):
            open_door(stack, function, kind, **options)

    def test_an_imported_function_cannot_be_told(self, stack: cdk.Stack) -> None:
        arn = "arn:aws:lambda:eu-central-1:123456789012:function:theirs"
        imported = lambda_.Function.from_function_arn(stack, "Theirs", arn)
        with pytest.raises(
            BreakwaterError, match=r"Stack: Stack/Theirs is imported, so its environment can't name the table"
        ):
            JobResults.of(stack, stack, imported, cdk.Duration.days(1))

    def test_two_terms_for_one_table(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        jobs = open_door(stack, function)
        with pytest.raises(BreakwaterError, match=r"result_ttl=60 s, and another front door of Stack/Worker has 86400"):
            jobs.add_front_door("Second", path="others", result_ttl=cdk.Duration.minutes(1))

    def test_a_table_with_a_sort_key(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        sort_key = dynamodb.Attribute(name="at", type=dynamodb.AttributeType.STRING)
        stream = InvocationSource.dynamodb_stream(table(stack, sort_key=sort_key))
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=stream)
        with pytest.raises(BreakwaterError, match=r"Stack/Orders has a sort key, and a job is one item by its name"):
            jobs.add_front_door("Door", path="orders")

    @pytest.mark.parametrize("name", ["body", "posted", "breakwater-job"])
    def test_a_table_whose_key_is_an_attribute_of_a_job(
        self, stack: cdk.Stack, function: lambda_.Function, name: str
    ) -> None:
        key = dynamodb.Attribute(name=name, type=dynamodb.AttributeType.STRING)
        stream = InvocationSource.dynamodb_stream(table(stack, partition_key=key))
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=stream)
        with pytest.raises(BreakwaterError, match=rf"key of Stack/Orders is '{name}', which the item of a job"):
            jobs.add_front_door("Door", path="orders")

    def test_a_table_whose_key_is_a_number(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        key = dynamodb.Attribute(name="id", type=dynamodb.AttributeType.NUMBER)
        stream = InvocationSource.dynamodb_stream(table(stack, partition_key=key))
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=stream)
        with pytest.raises(BreakwaterError, match=r"partition key of Stack/Orders is 'id', type N\. It is a string"):
            jobs.add_front_door("Door", path="orders")

    def test_an_imported_tables_key_is_to_be_named(self, stack: cdk.Stack, function: lambda_.Function) -> None:
        arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/orders"
        imported = dynamodb.TableV2.from_table_attributes(
            stack, "Imported", table_arn=arn, table_stream_arn=f"{arn}/stream/2026-01-01T00:00:00.000"
        )
        stream = InvocationSource.dynamodb_stream(imported)
        jobs = DecoupledInvocation(stack, "Jobs", function=function, source=stream)
        with pytest.raises(BreakwaterError, match=r"partition key of Stack/Imported is None, type unknown"):
            jobs.add_front_door("Door", path="orders")
        jobs.add_front_door("Named", path="orders", partition_key="order_id")
        assert '"order_id": {"S": "$job"}' in text(method(Template.from_stack(stack), "POST")["Integration"])
