"""The docs site: built strictly, whole, and without any other host."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner
from website import decision_tree, floors, links, pages

import breakwater_runtime
import cdk_breakwater
from cdk_breakwater.cli.main import app
from cdk_breakwater.layers import runtime_settings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.no_cover  # it would take twice the time, and runs none of the code that is measured
DOCS = pages.ROOT / "docs"
# What someone types who looks for the page.
WORDS = {
    "budgets": "MaxConnectionsPercent",
    "decoupled": "ParallelizationFactor",
    "front_door": "Idempotency-Key",
    "throttled_api": "Retry-After",
    "quota": "RetryAfter",
    "runtime": "snapstart",
    "testing": "pytest",
    "logins": "GRANT",
    "monitoring": "dashboard",
    "migration": "migrated_app",
    "deployments": "guard_deployments",
    "simulate": "failover",
    "max_connections": "DBInstanceClassMemory",
    "why": "too many clients already",
    "drill": "most-calls",
    "runbooks": "put-function-concurrency",
    "error_messages": "UnreservedConcurrentExecution",
    "environment_variables": "BREAKWATER_HOST",
    "cli": "redrive",
    "other_tools": "Terraform",
    "costs": "interface endpoint",
    "architecture": "import-linter",
}

# What stands in a log at night; a search finds a title first.
ERRORS = (
    "Too many connections",
    "Timed-out waiting to acquire internal connection",
    "server has gone away",
    "password authentication failed",
    "Host is blocked because of many connection errors",
    "Deadlock detected",
    "CROSSSLOT",
    "Rate Exceeded",
    "Task timed out",
    "Queue visibility timeout is less than Function timeout",
    "ProvisionedThroughputExceededException",
)


def test_each_alarm_has_a_runbook() -> None:
    told, told_how = ((DOCS / f"{page}.md").read_text(encoding="utf-8") for page in ("monitoring", "runbooks"))
    table = told[told.index("| construct | alarm |") : told.index("**A full share at work.**")]
    alarms = [name for row in table.splitlines()[2:] if row for name in re.findall(r"`(\w+)`", row.split("|")[2])]
    assert len(alarms) > 15
    assert re.findall(r"^## `(\w+)`$", told_how, re.MULTILINE) == alarms


def test_the_site_is_whole_and_its_index_finds_each_guide(site: Path) -> None:
    home = (site / "index.html").read_text(encoding="utf-8")
    navigation = set(re.findall(r'<a href="(?:\./)?([^"#]+)" class="md-nav__link', home))
    for page in DOCS.rglob("*.md"):
        built = str(page.relative_to(DOCS).with_suffix(".html")).replace("README", "index")
        assert built in navigation, f"{page} is in no part of the navigation of website/zensical.yml"

    index = json.loads((site / "search.json").read_text(encoding="utf-8"))["items"]
    for page, word in WORDS.items():
        found = " ".join(
            f"{item['title']} {item['text']}" for item in index if item["location"].startswith(f"{page}.html")
        )
        assert word.lower() in found.lower(), f"a search for {word} does not find {page}"

    assert not any(item["location"].startswith("changelog.html") for item in index)
    titles = [item["title"] for item in index if item["location"].startswith("error_messages.html")]
    assert [error for error in ERRORS if not any(error in title for title in titles)] == []

    for package, names in (
        ("cdk_breakwater", cdk_breakwater.__all__),
        ("breakwater_runtime", breakwater_runtime.__all__),
    ):
        for name in names:
            page = f"api/{package}.{name}.html"
            assert page in navigation
            assert re.search(rf'<h1 id="[\w.]*{name}"', (site / page).read_text(encoding="utf-8")), page


def test_a_page_of_the_api_tells_each_parameter_and_each_member(site: Path) -> None:
    function, protocol = (
        re.sub(r"<[^>]*>", "", (site / f"api/cdk_breakwater.{name}.html").read_text(encoding="utf-8"))
        for name in ("VpcDatabaseFunction", "ApiProtocol")
    )
    types = dict(re.findall(r"^\s*(\w+)\s+\((\w+)\)", function, re.MULTILINE))
    assert [types[name] for name in ("scope", "id", "code", "handler")] == ["Construct", "str", "Code", "str"]
    assert "costs less per request" in protocol


def test_the_check_of_the_site_finds_what_is_broken(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="here"></h1><a href="#here"></a><a href="b.html#there"></a><a href="b.html"></a>'
        '<a href="#nowhere"></a><a href="b.html#nowhere"></a><a href="gone.html"></a><a href="https://example.net/"></a>'
        '<script src="https://cdn.example.net/x.js"></script><link rel="canonical" href="https://example.net/a.html">'
    )
    (tmp_path / "b.html").write_text('<h1 id="there"></h1><link rel="stylesheet" href="//fonts.example.net/f.css">')
    assert links.faults(tmp_path) == [
        "a.html fetches https://cdn.example.net/x.js",
        "a.html links to #nowhere, and that page has no such heading",
        "a.html links to b.html#nowhere, and that page has no such heading",
        "a.html links to gone.html, and there is no such page",
        "b.html fetches //fonts.example.net/f.css",
    ]


def test_the_floors_are_those_that_import_linter_holds() -> None:
    assert (DOCS / "architecture.svg").read_text(encoding="utf-8") == floors.picture()


def test_the_decision_tree_is_that_of_its_command() -> None:
    assert (DOCS / "choose.svg").read_text(encoding="utf-8") == decision_tree.picture()


def test_the_table_of_variables_has_each_that_the_constructs_set() -> None:
    page = (DOCS / "environment_variables.md").read_text(encoding="utf-8")
    settings = {value for name, value in vars(runtime_settings).items() if name.isupper()}
    assert settings == set(re.findall(r"^\| `BREAKWATER_(\w+)` \|", page, re.MULTILINE))


def test_the_template_for_sam_has_its_limits(tmp_path: Path) -> None:
    page = (DOCS / "other_tools.md").read_text(encoding="utf-8")
    (template,) = re.findall(r"^```yaml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    file = tmp_path / "template.yaml"
    file.write_text(template)
    checked = CliRunner().invoke(app, ["check", str(file)])
    assert (checked.exit_code, checked.output) == (0, "0 findings in 1 template.\n")

    limits = r"^ +(ReservedConcurrentExecutions|ScalingConfig): .*\n"
    file.write_text(re.sub(limits, "", template, flags=re.MULTILINE))
    unlimited = CliRunner().invoke(app, ["check", str(file)])
    assert unlimited.exit_code == 1
    assert re.findall(r"takes the database down · (\w+)", unlimited.output) == [
        "DatabaseFunctionConcurrency",
        "DatabaseQueueConcurrency",
    ]
