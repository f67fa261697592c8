"""Whoever names himself is who he says."""

from __future__ import annotations

from typing import Any


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": "Allow", "Resource": "*"}
    return {
        "principalId": event["authorizationToken"],
        "policyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
