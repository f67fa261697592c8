"""What a look-up gives in the CLI's first pass, before the account was asked: nothing of that pass is deployed."""

from __future__ import annotations

# Source: aws-cdk-lib, aws-ssm, StringParameter.valueFromLookup.
_DUMMY = "dummy-value-for-"
# Source: aws-cdk-lib, aws-ec2, Vpc.fromLookup.
PENDING_VPC = "vpc-12345"


def is_pending(value: str) -> bool:
    """Whether a string stands for an SSM parameter that the CLI has yet to look up."""
    return value.startswith(_DUMMY)
