"""Who takes which share of which downstream, read from a cloud assembly."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..budgets.assembly_metadata import METADATA

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rich.console import Group

_BAR = 10


@dataclass(frozen=True)
class Holder:
    """One share: who holds it, its concurrency, its connections, why it is that large, and its function's path."""

    name: str
    concurrency: int
    connections: int
    reason: str
    function: str | None


@dataclass(frozen=True)
class Plan:
    """One downstream's budget and its shares."""

    path: str
    max_connections: int
    basis: str
    reserved: int
    external: int
    pools: int
    utilization: float
    shared: int
    guarded: bool
    holders: tuple[Holder, ...]

    @property
    def usable(self) -> int:
        """Connections that clients of this budget can have at most, handed out or not."""
        return max(0, self.max_connections - self.reserved - self.external - self.pools)


def read_plans(assembly: Path) -> list[Plan]:
    """Read the budgets of a cloud assembly, those of nested assemblies (Stages) included.

    Parameters
    ----------
    assembly
        The folder that `cdk synth` wrote, `cdk.out` by default.

    Raises
    ------
    FileNotFoundError
        When it is no cloud assembly.
    """
    if not (assembly / "manifest.json").is_file():
        msg = f"{assembly} is no cloud assembly: it has no manifest.json. Run `cdk synth` first."
        raise FileNotFoundError(msg)
    return sorted((_plan(data) for data in _budgets(assembly)), key=lambda plan: plan.path)


def render(plans: list[Plan]) -> Group:
    """Draw the plans as tables with a bar for each share."""
    from rich.console import Group
    from rich.table import Table

    tables = []
    for plan in plans:
        table = Table(
            title=f"[bold]{plan.path}[/]  max_connections {plan.max_connections} ({plan.basis})",
            caption=f"({plan.max_connections} − {plan.reserved} reserved − {plan.external} external"
            f"{f' − {plan.pools} of proxies' if plan.pools else ''}) × "
            f"{plan.utilization:g} = {plan.shared} to share",
            title_justify="left",
            caption_justify="left",
        )
        table.add_column("share", overflow="fold", min_width=14)
        table.add_column("concurrency", justify="right", no_wrap=True)
        table.add_column("connections", justify="right", no_wrap=True)
        table.add_column(f"of {plan.shared}", width=_BAR)
        table.add_column("because", min_width=14)
        for holder in plan.holders:
            bar = "█" * max(1, round(_BAR * holder.connections / max(1, plan.shared)))
            table.add_row(holder.name, str(holder.concurrency), str(holder.connections), bar, holder.reason)
        free = plan.shared - sum(holder.connections for holder in plan.holders)
        table.add_section()
        table.add_row("not handed out", "", str(free), "░" * round(_BAR * free / max(1, plan.shared)), "")
        tables.append(table)
    return Group(*tables)


def metadata_of(artifact: Mapping[str, Any], folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the metadata of an artifact, which the CDK writes into a file of its own since schema 45."""
    metadata = artifact.get("metadata", {})
    if "additionalMetadataFile" in artifact:
        file = folder / artifact["additionalMetadataFile"]
        metadata = {**metadata, **json.loads(file.read_text(encoding="utf-8"))}
    return metadata


def _budgets(assembly: Path) -> Iterator[dict[str, Any]]:
    for manifest in assembly.rglob("manifest.json"):
        for artifact in json.loads(manifest.read_text(encoding="utf-8")).get("artifacts", {}).values():
            for entries in metadata_of(artifact, manifest.parent).values():
                yield from (entry["data"] for entry in entries if entry["type"] == METADATA)


def _plan(data: dict[str, Any]) -> Plan:
    return Plan(
        data["path"],
        data["maxConnections"],
        data["basis"],
        data["reserved"],
        data["external"],
        data.get("pools", 0),
        data["utilization"],
        data["shared"],
        data.get("guarded", False),
        tuple(
            Holder(share["name"], share["concurrency"], share["connections"], share["reason"], share.get("function"))
            for share in data["shares"]
        ),
    )
