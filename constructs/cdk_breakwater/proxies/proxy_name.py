"""Names of RDS Proxies and their endpoints, which CloudFormation does not make."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from .._cdk.nested_stacks import outermost_stack

if TYPE_CHECKING:
    from constructs import IConstruct


def proxy_name(construct: IConstruct, suffix: str = "") -> str:
    """Derive a name that no other stack of the account and Region has.

    CloudFormation makes none for a proxy. `Names.unique_resource_name` starts at the nested stack, whose own name is
    known at deployment only, so that two apps with one nested stack would get the same.
    """
    stack = outermost_stack(construct)
    path = construct.node.path.removeprefix(f"{stack.node.path}/")
    full = f"{stack.stack_name}/{path}/{suffix}"
    digest = hashlib.sha256(full.encode()).hexdigest()[:8]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", full.replace(f"/{construct.node.id}", "")).strip("-")
    return f"{readable[:50].rstrip('-')}-{digest}"
