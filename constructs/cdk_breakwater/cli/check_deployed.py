"""The templates of stacks that are deployed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .check_databases import read_databases
from .template_file import UnreadableTemplateError, parse_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..checks import Assembly
    from .check_sources import Sources

# A stack in these states has no template of its own, or none that runs.
_GONE = ("DELETE_COMPLETE", "REVIEW_IN_PROGRESS")


def account_quota(client: Callable[[str], Any]) -> int | None:
    """Give the account's quota of concurrent executions, None where that may not be asked."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return int(client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"])
    except (BotoCoreError, ClientError, KeyError):
        return None


def read_deployed(sources: Sources, stacks: list[str], client: Callable[[str], Any], region: str) -> None:
    """Read the templates of some stacks, of all in the Region where none is named; note those that can't be read.

    Raises
    ------
    botocore.exceptions.ClientError
        The stacks of the Region may not be listed.
    """
    cloudformation = client("cloudformation")
    for stack in stacks or list(_all(cloudformation)):
        _read_or_note(sources, stack, client, region)


def _read_or_note(sources: Sources, stack: str, client: Callable[[str], Any], region: str) -> None:
    from botocore.exceptions import ClientError

    try:
        assembly = _read(sources, stack, client("cloudformation"), region)
        sources.notes += read_databases(assembly, stack, client)
    except (ClientError, UnreadableTemplateError) as error:
        # One stack that may not be read hides none of the others.
        sources.unreadable.append(f"{stack}: {error}")


def _read(sources: Sources, stack: str, cloudformation: Any, region: str) -> Assembly:
    # "Processed": macros, SAM's among them, are expanded as they were at the deployment.
    body = cloudformation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    parameters = {
        each["ParameterKey"]: str(each.get("ResolvedValue", each.get("ParameterValue", "")))
        for each in described.get("Parameters", [])
        if each.get("ParameterValue") != "****"  # NoEcho
    }
    template = parse_template(Path(stack), body if isinstance(body, str) else json.dumps(body)).body
    account = str(described.get("StackId", "")).split(":")
    place = f"aws://{account[4]}/{account[3]}" if len(account) > 4 else f"aws://unknown-account/{region}"
    return sources.add_deployed(Path(stack), template, place, parameters)


def _all(cloudformation: Any) -> Iterator[str]:
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            # A nested stack's values are in its parent's parameters; it is read by itself as well.
            if stack["StackStatus"] not in _GONE:
                yield stack["StackName"]
