"""A dashboard for each downstream: everything that stands before it, on one page."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypedDict, cast

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct, IConstruct

from ._cdk.arguments import Kind, require, shown
from ._cdk.lazy import lazy_string
from ._cdk.options import require_known_options
from .budgets.budget import ConnectionBudget
from .budgets.share import ConnectionShare
from .errors import BreakwaterError
from .monitoring.alarms import HEIGHT, WIDTH, alarms_of
from .monitoring.dashboard_page import shown_with
from .monitoring.dashboard_room import MAXIMUM_ALARMS, MAXIMUM_DASHBOARD_METRICS, MAXIMUM_WIDGETS, Room

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

_COLUMNS = 24


class DashboardOptions(TypedDict, total=False):
    """The props of `cloudwatch.Dashboard`."""

    dashboard_name: str | None
    default_interval: Duration | None
    end: str | None
    period_override: cloudwatch.PeriodOverride | None
    start: str | None
    variables: Sequence[cloudwatch.IVariable] | None


class Monitored(Protocol):
    """What has widgets: every construct of this library."""

    def widgets(self) -> list[cloudwatch.IWidget]:
        """Return what a page of a dashboard shows of it."""


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple))


_CONSTRUCTS = Kind("a list of constructs", _is_list)


def breakwater_dashboard(
    scope: Construct, id: str, constructs: Sequence[Monitored], **options: Unpack[DashboardOptions]
) -> list[cloudwatch.Dashboard]:
    """Create a dashboard for each downstream that the constructs protect.

    A dashboard begins with the alarms created so far, the numbers of the connection budget, and the server's
    connections. The constructs follow in the order given. Functions, decoupled invocations and APIs are on the
    dashboard of the database of which their function has a share. Functions without a share, and quotas, have a
    dashboard of their own.

    Parameters
    ----------
    scope, id
        The parent construct, and the id of this one within it.
    constructs
        Any constructs of this library, from any stacks. Call this after the last share was taken and after the alarms
        were created.
    **options
        Props of `cloudwatch.Dashboard`. A default that differs from the CDK's: `default_interval` is three hours.

    Returns
    -------
    list of cloudwatch.Dashboard
        The dashboards, in the order of the constructs. A dashboard that would be too large (500 widgets, 2,500 metrics)
        is divided into several.

    Raises
    ------
    BreakwaterError
        When there are no constructs, or when one of them has no widgets.
    """
    parent = Construct(scope, id)
    require_known_options(parent, options, breakwater_dashboard, cloudwatch.Dashboard)
    require(parent, {"constructs": constructs}, {"constructs": _CONSTRUCTS}, needed=("constructs",))
    pages: dict[IConstruct, list[Any]] = {}
    for construct in dict.fromkeys(constructs):
        if not callable(getattr(construct, "widgets", None)):
            raise BreakwaterError(
                parent,
                f"constructs: {_named(construct)} has no widgets.",
                "Pass constructs of this library; others' go on add_widgets.",
            )
        pages.setdefault(_downstream(construct), []).append(construct)
    if not pages:
        raise BreakwaterError(parent, "there are no constructs.", "Pass the constructs to show.")
    return [page for downstream, members in pages.items() for page in _pages(parent, downstream, members, {**options})]


def _named(given: object) -> str:
    return given.node.path if isinstance(given, Construct) else shown(given)


def _downstream(construct: Any) -> IConstruct:
    """Return what a page is called after: a database, a budget by itself, a quota, or a function without a share."""
    if isinstance(construct, ConnectionBudget):
        if construct.downstream is None:
            return construct
        return construct.downstream.server.construct
    budget = _budget(construct)
    return shown_with(construct) if budget is None else _downstream(budget)


def _budget(construct: Any) -> ConnectionBudget | None:
    """Return the budget that a construct is, or that its function has a share of."""
    if isinstance(construct, ConnectionBudget):
        return construct
    shown: Any = shown_with(construct)
    share = ConnectionShare.of(shown)
    return None if share is None else share.budget


def _pages(
    parent: Construct, downstream: IConstruct, members: list[Any], options: dict[str, Any]
) -> list[cloudwatch.Dashboard]:
    """Make the dashboards of a downstream: one, and further ones where CloudWatch takes no more on the first."""
    shown = list(dict.fromkeys([*_budgets(members), *members]))
    rows = [*_alarm_rows(downstream, shown), *(_row(member) for member in shown)]
    dashboards: list[cloudwatch.Dashboard] = []
    left = Room(0, 0)
    for row in rows:
        taken = Room.taken_by(row)
        if not dashboards or not left.holds(taken):
            dashboards.append(_dashboard(parent, downstream, len(dashboards) + 1, options))
            left = Room(MAXIMUM_WIDGETS, MAXIMUM_DASHBOARD_METRICS)
        left = left.less(taken)
        dashboards[-1].add_widgets(*row)
    return dashboards


def _dashboard(parent: Construct, downstream: IConstruct, number: int, options: dict[str, Any]) -> cloudwatch.Dashboard:
    props: dict[str, Any] = {"default_interval": Duration.hours(3), **options}
    further = "" if number == 1 else f"-{number}"
    if name := props.get("dashboard_name"):
        props["dashboard_name"] = f"{name}{further}"
    return cloudwatch.Dashboard(parent, f"{downstream.node.path.replace('/', '-')}{further}", **props)


def _alarm_rows(downstream: IConstruct, shown: list[Any]) -> list[list[cloudwatch.IWidget]]:
    alarms = [alarm for member in shown for alarm in alarms_of(member)]
    widgets = [
        cloudwatch.AlarmStatusWidget(
            title=f"Alarms of {downstream.node.path}",
            width=_COLUMNS,
            height=3,
            alarms=cast("list[cloudwatch.IAlarm]", alarms[start : start + MAXIMUM_ALARMS]),
        )
        for start in range(0, len(alarms), MAXIMUM_ALARMS)
    ]
    return [[cast("cloudwatch.IWidget", widget)] for widget in widgets]


def _row(member: Any) -> list[cloudwatch.IWidget]:
    if not isinstance(member, ConnectionBudget):
        return member.widgets()
    text = cloudwatch.TextWidget(markdown=lazy_string(partial(_numbers, member)), width=WIDTH, height=HEIGHT)
    return [cast("cloudwatch.IWidget", text), *member.widgets()]


def _budgets(members: list[Any]) -> list[ConnectionBudget]:
    """Return the budgets that the members have shares of; before a proxy's pool that of the database behind it."""
    found: dict[ConnectionBudget, None] = {}
    for budget in map(_budget, members):
        if budget is None:
            continue
        if budget.downstream is not None and budget.downstream.behind_proxy:
            found[ConnectionBudget.of(budget.downstream.server)] = None
        found[budget] = None
    return list(found)


def _numbers(budget: ConnectionBudget) -> str:
    title = f"### {budget.title}"
    try:
        terms = [
            f"{budget.max_connections} max_connections",
            f"{budget.reserved_connections} reserved",
            f"{budget.external_connections} external",
            *([f"{budget.pool_connections} in pools"] if budget.pools else []),
        ]
        shared, basis = budget.shared_connections, budget.basis
    except BreakwaterError:
        return title  # a lazy value must not raise; the budget's validation fails the synth
    text = f"({' − '.join(terms)}) × {budget.utilization:g} = **{shared}** for functions. {basis}."
    lines = [title, text]
    if budget.shares:
        lines += ["", "| share | concurrency | connections |", "|---|---:|---:|"]
        lines += [
            f"| {share['name']} | {share['concurrency']} | {share['connections']} |"
            for share in (share.description() for share in budget.shares)
        ]
    return "\n".join(lines)
