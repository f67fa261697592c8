"""A front door before a table: only inserts are jobs, later changes of the item are not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from aws_cdk import Stack

if TYPE_CHECKING:
    from ..sources.buffer import Buffer


def hand_over_inserts_alone(invocation: Buffer) -> None:
    """Have the mapping filter a table's changes, so that no update and no expiry of a job's item is the job again.

    Filters that name an `eventName` are left as they are.
    """
    mapping: Any = invocation.event_source_mapping.node.default_child
    criteria = Stack.of(mapping).resolve(mapping._cfn_properties.get("filterCriteria")) or {}
    patterns = [json.loads(each["pattern"]) for each in criteria.get("filters", [])] or [{}]
    mapping.add_property_override(
        "FilterCriteria",
        {"Filters": [{"Pattern": json.dumps({"eventName": ["INSERT"], **pattern})} for pattern in patterns]},
    )
