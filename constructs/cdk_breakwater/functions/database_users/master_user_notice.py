"""The notice that a function logs in as the master user, who may do everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Annotations

if TYPE_CHECKING:
    from constructs import IConstruct

MASTER_USER = "cdk-breakwater:master-user"
"""The id of the annotation, to acknowledge it by."""


def note_master_user(function: IConstruct) -> None:
    """Say that a function logs in as the master user, and what it could do instead."""
    Annotations.of(function).add_info_v2(
        MASTER_USER,
        "It logs in as the database's master user, which can do everything and whose connections the server doesn't "
        "limit. Pass credentials=DatabaseCredentials.user(name, grants=[…]) to create a user of its own at deployment.",
    )
