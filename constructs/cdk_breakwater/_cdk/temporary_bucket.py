"""The buckets that the constructs make for what is kept for a while, and who may name the objects in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Duration, Stack
from aws_cdk import aws_s3 as s3

from .nag import acknowledge, compliance_rules

if TYPE_CHECKING:
    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kms as kms
    from constructs import Construct


def make_private_bucket(
    scope: Construct,
    id: str,
    *,
    kept_days: int,
    uploads_days: int,
    reason: str,
    encryption_key: kms.IKey | None = None,
) -> s3.Bucket:
    """Make an encrypted bucket, closed to the public, whose objects end.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
    kept_days, uploads_days
        Days after which an object, and an upload that broke off, is deleted.
    reason
        Why it has no versions, replicas, access logs and customer's key.
    encryption_key
        Default: S3's own.
    """
    bucket = s3.Bucket(
        scope,
        id,
        encryption=s3.BucketEncryption.S3_MANAGED if encryption_key is None else s3.BucketEncryption.KMS,
        encryption_key=encryption_key,
        enforce_ssl=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        lifecycle_rules=[
            s3.LifecycleRule(
                expiration=Duration.days(kept_days),
                abort_incomplete_multipart_upload_after=Duration.days(uploads_days),
            )
        ],
    )
    acknowledge(
        bucket,
        reason,
        "AwsSolutions-S1",
        *compliance_rules(
            "S3BucketLoggingEnabled",
            "S3BucketReplicationEnabled",
            "S3BucketVersioningEnabled",
            "S3DefaultEncryptionKMS",
        ),
    )
    return bucket


def acknowledge_objects(role: iam.IRole | None, bucket: s3.Bucket, reason: str) -> None:
    """Acknowledge that a role may name any object of one bucket."""
    if role is not None:
        logical_id = Stack.of(bucket).get_logical_id(bucket.node.default_child)  # type: ignore[arg-type]
        acknowledge(role, reason, f"AwsSolutions-IAM5[Resource::<{logical_id}.Arn>/*]")
