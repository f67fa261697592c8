"""The bucket that keeps the failed records of a stream, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import jsii
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_

from .._cdk.temporary_bucket import acknowledge_objects, make_private_bucket

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_s3 as s3

    from .buffer import Buffer

_KEPT_DAYS = 90


@jsii.implements(lambda_.IEventSourceDlq)
class _BucketDestination:
    """The L2's S3OnFailureDestination lets the function read and delete as well; this one only lets it add."""

    def __init__(self, bucket: s3.Bucket) -> None:
        self._bucket = bucket

    def bind(
        self,
        target: lambda_.IEventSourceMapping,  # noqa: ARG002 -- the interface's
        target_handler: lambda_.IFunction,
    ) -> lambda_.DlqDestinationConfig:
        # Source: AWS Lambda Developer Guide, "Retain discarded batch records for a Kinesis Data Streams event source".
        objects = self._bucket.arn_for_objects("*")
        for action, resource in (("s3:PutObject", objects), ("s3:ListBucket", self._bucket.bucket_arn)):
            iam.Grant.add_to_principal(grantee=target_handler, actions=[action], resource_arns=[resource])
        if self._bucket.encryption_key is not None:
            self._bucket.encryption_key.grant_encrypt(target_handler)
        acknowledge_objects(
            target_handler.role, self._bucket, "Lambda names the objects in the bucket of failed records."
        )
        return lambda_.DlqDestinationConfig(destination=self._bucket.bucket_arn)


def failure_destination(bucket: s3.Bucket) -> lambda_.IEventSourceDlq:
    """Return the destination that writes there."""
    return cast("lambda_.IEventSourceDlq", _BucketDestination(bucket))


def make_failure_bucket(invocation: Buffer, encryption_key: kms.IKey | None) -> s3.Bucket:
    """Make the bucket."""
    return make_private_bucket(
        invocation,
        "FailureBucket",
        kept_days=_KEPT_DAYS,
        uploads_days=7,
        reason="Each failed batch is written once under a name of its own, and is a copy for repair with an end: "
        "versions, replicas, access logs and a customer's key are the app's choice, with on_failure.",
        encryption_key=encryption_key,
    )
