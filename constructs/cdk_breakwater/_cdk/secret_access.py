"""Letting somebody read a secret, whosever key it is encrypted with, and in whichever stack that key is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Stack
from aws_cdk import aws_iam as iam

if TYPE_CHECKING:
    from aws_cdk import aws_lambda as lambda_
    from aws_cdk import aws_secretsmanager as secretsmanager


def grant_secret_read(secret: secretsmanager.ISecret, reader: lambda_.IFunction | iam.IRole) -> None:
    """Allow a function or a role to read a secret, and to decrypt it with its key."""
    key = secret.encryption_key
    if key is None:
        secret.grant_read(reader)
    elif key_is_elsewhere(secret, reader):
        iam.Grant.add_to_principal(
            grantee=reader,
            actions=["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            resource_arns=[secret.secret_arn],
        )
        key.grant_decrypt(reader)
    else:
        secret.grant_read(reader)
        if key.node.default_child is None:
            # The L2's grant goes into the key's policy, which nobody can change for an imported key.
            key.grant_decrypt(reader)


def key_is_elsewhere(secret: secretsmanager.ISecret, reader: lambda_.IFunction | iam.IRole) -> bool:
    """Whether a secret's key is of another stack of this app than its reader.

    There, the L2's grant of the secret is a cycle: it names the reader in the key's policy, so that the key's stack
    needs the reader's, which needs the secret's. A key of the CDK trusts the policies of its account's roles.
    """
    key = secret.encryption_key
    return key is not None and key.node.default_child is not None and Stack.of(key) is not Stack.of(reader)
