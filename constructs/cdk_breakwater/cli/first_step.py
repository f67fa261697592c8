"""The first of two deployments, as an app to deploy: what is to fall falls, and nothing rises.

It ends at the smaller of each function's two numbers; new functions exist with 0, and their mappings wait. So neither
it, nor the deployment after it, nor the rollback of one of them exceeds the budget, in whichever order they are done.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

from ..errors import BreakwaterError
from .reservations import RESERVED, functions_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .reservations import State

_MAPPING = "AWS::Lambda::EventSourceMapping"


def write_first_step(assembly: Path, old: State, new: State, folder: Path) -> list[str]:
    """Copy a cloud assembly, with no function above the smaller of its two numbers.

    Parameters
    ----------
    assembly, new
        The app that is to be deployed.
    old
        What is deployed.
    folder
        Where the copy goes; it must not exist.

    Returns
    -------
    list of str
        What was changed, in words.

    Raises
    ------
    BreakwaterError
        When the folder exists, a share that changes is in a nested stack, or a budget itself is to be smaller.
    """
    if folder.exists():
        raise BreakwaterError(str(folder), "it exists already.", "Name a folder that does not, or remove it.")
    if smaller := [
        path for path, plan in new.plans.items() if path in old.plans and plan.shared < old.plans[path].shared
    ]:
        raise BreakwaterError(
            ", ".join(smaller),
            "the budget itself becomes smaller, so that the server would before its functions.",
            "First deploy the smaller shares, with ConnectionBudget.of(database, utilization=…), then the rest.",
        )
    targets = {
        key: min(holder.concurrency, old.holders[key].concurrency if key in old.holders else 0)
        for key, holder in new.holders.items()
        if holder.stack is not None
    }
    changed = {key: number for key, number in targets.items() if number != new.holders[key].concurrency}
    if nested := [new.holders[key].name for key in changed if len(key) > 4]:
        raise BreakwaterError(
            str(assembly),
            f"{', '.join(nested)}: in a nested stack, whose template another one names by its content.",
            "Lower it in the app: ConnectionBudget.of(…).share(…, concurrency=…).",
        )
    shutil.copytree(assembly, folder)
    said: list[str] = []
    for file in sorted(folder.rglob("*.template.json")):
        ids = {function.key for function in functions_in(_parse(file), _name(file), "")}
        here = {key[1]: number for key, number in changed.items() if key in ids}
        if here:
            said += _rewrite(file, here)
    return said


def _parse(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text(encoding="utf-8"))


def _name(file: Path) -> str:
    artifacts = _parse(file.parent / "manifest.json")["artifacts"]
    names = [
        artifact["properties"].get("stackName", id_)
        for id_, artifact in artifacts.items()
        if artifact.get("properties", {}).get("templateFile") == file.name
    ]
    return names[0] if names else ""  # that of a nested stack


def _rewrite(file: Path, numbers: Mapping[str, int]) -> list[str]:
    text = file.read_bytes()
    resources: dict[str, Any] = json.loads(text)["Resources"]
    said = []
    for mapping in resources.values():
        properties = mapping.get("Properties", {})
        id_ = properties.get("FunctionName", {}).get("Ref") if mapping["Type"] == _MAPPING else None
        if id_ in numbers:
            _slow_down(properties, resources[id_]["Properties"][RESERVED], numbers[id_])
    for id_, number in numbers.items():
        resources[id_]["Properties"][RESERVED] = number
        said.append(f"{_name(file)}: {id_} {number}")
    body = {**json.loads(text), "Resources": resources}
    written = json.dumps(body, indent=1).encode()
    file.write_bytes(written)
    # The bootstrap bucket has templates by their content: under the old name, CloudFormation would find the old one.
    before, after = hashlib.sha256(text).hexdigest(), hashlib.sha256(written).hexdigest()
    for other in file.parent.glob("*.json"):
        content = other.read_text(encoding="utf-8")
        if before in content:
            other.write_text(content.replace(before, after), encoding="utf-8")
    return said


def _slow_down(mapping: dict[str, Any], share: int, number: int) -> None:
    """Let a mapping receive no more than its function takes; MaximumConcurrency is 2 or more."""
    scaling = mapping.get("ScalingConfig", {})
    if number == 0:
        mapping["Enabled"] = False
    elif isinstance(scaling.get("MaximumConcurrency"), int):
        scaling["MaximumConcurrency"] = max(2, scaling["MaximumConcurrency"] * number // share)
