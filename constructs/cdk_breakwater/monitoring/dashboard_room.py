"""How much one dashboard of CloudWatch takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_cloudwatch as cloudwatch

# Source: Amazon CloudWatch User Guide, "CloudWatch service quotas", Dashboards.
MAXIMUM_WIDGETS = 500
MAXIMUM_DASHBOARD_METRICS = 2_500
MAXIMUM_WIDGET_METRICS = 500
MAXIMUM_ALARMS = 100
"""In one widget. Source: Amazon CloudWatch API Reference, "Dashboard body structure and syntax", alarm widgets."""


class Room(NamedTuple):
    """Widgets and metrics."""

    widgets: int
    metrics: int

    @classmethod
    def taken_by(cls, widgets: Sequence[cloudwatch.IWidget]) -> Room:
        """Count what widgets take."""
        contents = [content for widget in widgets for content in widget.to_json()]
        return cls(len(contents), sum(len(content["properties"].get("metrics") or ()) for content in contents))

    def holds(self, other: Room) -> bool:
        """Whether so much has room here."""
        return other.widgets <= self.widgets and other.metrics <= self.metrics

    def less(self, other: Room) -> Room:
        """Return what is left once so much is taken."""
        return Room(self.widgets - other.widgets, self.metrics - other.metrics)
