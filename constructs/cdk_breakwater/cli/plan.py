"""Who takes which share of which downstream, read from a cloud assembly."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..budgets.assembly_metadata import METADATA
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

_BAR = 10
_BECAUSE = 14
_BORDERS = 16


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
    def free(self) -> int:
        """Connections that are not handed out."""
        return self.shared - sum(holder.connections for holder in self.holders)

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
    BreakwaterError
        When a file of it is damaged.
    """
    if not (assembly / "manifest.json").is_file():
        msg = f"{assembly} is not a cloud assembly: it has no manifest.json. Run `cdk synth` first."
        raise FileNotFoundError(msg)
    with readable(assembly):
        return sorted((_plan(data) for data in _budgets(assembly)), key=lambda plan: plan.path)


@contextmanager
def readable(assembly: Path) -> Iterator[None]:
    """Say in one line that an assembly is damaged, whatever of it is.

    Raises
    ------
    BreakwaterError
        Where what is read is no JSON, or not what the CDK writes.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, BreakwaterError):
            raise
        what = f"{type(error).__name__}: {error}"
        raise BreakwaterError(str(assembly), f"it is damaged ({what}).", "Run `cdk synth` again.") from error


def as_json(plans: list[Plan]) -> str:
    """Write the plans as JSON: a list of budgets, each with its shares as `holders`."""
    return json.dumps([asdict(plan) for plan in plans], indent=2)


def render(plans: list[Plan], width: int) -> Group:
    """Draw the plans as tables with a bar for each share, or line by line where a table would break their names.

    Parameters
    ----------
    plans
        The budgets.
    width
        Characters of a line.
    """
    from rich.console import Group

    return Group(*(_table(plan) if _least_width(plan) <= width else _lines(plan) for plan in plans))


def _least_width(plan: Plan) -> int:
    names = [holder.name for holder in plan.holders]
    return max(map(len, [*names, "not handed out"])) + len("concurrencyconnections") + _BAR + _BECAUSE + _BORDERS


def _table(plan: Plan) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=f"[bold]{escape(plan.path)}[/]{_basis(plan)}",
        caption=_sum(plan),
        title_justify="left",
        caption_justify="left",
    )
    table.add_column("share", no_wrap=True)
    table.add_column("concurrency", justify="right", no_wrap=True)
    table.add_column("connections", justify="right", no_wrap=True)
    table.add_column(f"of {plan.shared}", width=_BAR)
    table.add_column("because", min_width=_BECAUSE)
    for holder in plan.holders:
        row = (str(holder.concurrency), str(holder.connections), _bar(holder.connections, plan), escape(holder.reason))
        table.add_row(escape(holder.name), *row)
    table.add_section()
    table.add_row("not handed out", "", str(plan.free), "░" * round(_BAR * plan.free / max(1, plan.shared)), "")
    return table


def _lines(plan: Plan) -> Text:
    from rich.text import Text

    lines = [f"{plan.path}{_basis(plan)}"]
    for holder in plan.holders:
        lines.append(holder.name)
        lines.append(f"  concurrency {holder.concurrency}, connections {holder.connections} of {plan.shared}")
        lines.append(f"  {holder.reason}")
    lines += [f"not handed out: {plan.free}", _sum(plan), ""]
    return Text("\n".join(lines), overflow="ignore", no_wrap=True)


def _basis(plan: Plan) -> str:
    return f"  max_connections {plan.max_connections} ({plan.basis})"


def _sum(plan: Plan) -> str:
    pools = f" − {plan.pools} of proxies" if plan.pools else ""
    taken = f"{plan.max_connections} − {plan.reserved} reserved − {plan.external} external{pools}"
    return f"({taken}) × {plan.utilization:g} = {plan.shared} to share"


def _bar(connections: int, plan: Plan) -> str:
    return "█" * max(1, round(_BAR * connections / max(1, plan.shared)))


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
