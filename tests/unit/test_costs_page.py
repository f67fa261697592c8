"""docs/costs.md says what the constructs of today cost."""

from __future__ import annotations

import pytest
from website.costs.apps import Measured, measure
from website.costs.page import LOADS, PAGE, with_tables
from website.costs.prices import HOURS
from website.costs.rows import ROWS
from website.costs.usage import Usage, of_resources, traces


@pytest.fixture(scope="module")
def measured() -> dict[str, Measured]:
    return measure()


def test_the_page_is_that_of_its_command(measured: dict[str, Measured]) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_tables(page, measured) == page, "run: python -m website.costs"
    cheaper = measured | {"isolated": Measured(Usage(), Usage())}
    assert with_tables(page, cheaper) != page


def test_what_the_templates_hold(measured: dict[str, Measured]) -> None:
    assert measured["isolated"].fixed == {"endpoint hour": 2 * HOURS}
    assert measured["user"].fixed == {"secret": 1}
    assert measured["sqs"].fixed == {"alarm metric": 1, "SQS request": 657_000}
    assert measured["waf"].fixed == measured["rest"].fixed + Usage({"web ACL": 1, "web ACL rule": 1})
    assert all(found.alarms["alarm metric"] >= 2 for found in measured.values())


def test_an_alarm_costs_by_the_metrics_that_it_reads() -> None:
    read = {"Id": "m", "MetricStat": {"Period": 60}}
    metrics = [read, read, {"Id": "e", "Expression": "m1 + m2"}]
    alarms = {
        "A": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": metrics}},
        "B": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Errors"}},
    }
    assert of_resources(alarms) == {"alarm metric": 3}


def test_a_month_by_hand() -> None:
    rest = next(row for row in ROWS if row.app == "rest")
    sampled = HOURS * 3_600 + (10_000_000 - HOURS * 3_600) * 0.05
    by_hand = 10 * 3.50 + 10_000_000 * 500 / 1e9 * 0.50 + sampled * 5 / 1e6
    assert rest.used(10_000_000).dollars == pytest.approx(by_hand)
    assert traces(LOADS[0]) == LOADS[0]
