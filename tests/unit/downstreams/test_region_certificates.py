"""Which certificate authorities a function verifies its database with, and what is said when there are none."""

from __future__ import annotations

import datetime
from typing import Any
from unittest.mock import Mock

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk.assertions import Annotations, Match

from cdk_breakwater import BreakwaterError, ConnectionBudget, DatabaseEngine, Downstream
from cdk_breakwater.downstreams import region_certificates
from tests.unit.databases import POSTGRESQL


def database_in(app: cdk.App, region: str | None) -> rds.DatabaseInstance:
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account="123456789012", region=region))
    return rds.DatabaseInstance(stack, "Database", engine=POSTGRESQL, vpc=ec2.Vpc(stack, "Vpc"))


def certificates(pem: str | None) -> int:
    return (pem or "").count("BEGIN CERTIFICATE")


def test_a_region_has_its_own_and_an_unknown_one_all(app: cdk.App) -> None:
    one = certificates(Downstream.of(database_in(app, "eu-central-1")).certificate_authority())
    every = certificates(Downstream.of(database_in(cdk.App(), None)).certificate_authority())
    assert (one, every) == (3, 81)


def test_a_region_without_says_what_to_do(app: cdk.App) -> None:
    downstream = Downstream.of(database_in(app, "il-central-1"))
    with pytest.raises(
        BreakwaterError, match=r"Stack/Database: .*il-central-1.*Downstream\.of\(database, certificate_au"
    ):
        downstream.certificate_authority()


def test_a_bundle_of_ones_own(app: cdk.App, tmp_path: Any) -> None:
    pem = tmp_path / "il-central-1.pem"
    pem.write_text("-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n", encoding="ascii")
    downstream = Downstream.of(database_in(app, "il-central-1"), certificate_authority=str(pem))
    assert downstream.certificate_authority() == pem.read_text(encoding="ascii")
    assert ConnectionBudget.of(downstream) is ConnectionBudget.of(downstream.construct)


def test_a_year_before_they_expire_the_synth_says_so(app: cdk.App, monkeypatch: pytest.MonkeyPatch) -> None:
    soon = datetime.datetime.now(datetime.timezone.utc).date() + datetime.timedelta(days=364)
    monkeypatch.setattr(region_certificates, "expires", Mock(return_value=soon))
    database = database_in(app, "eu-central-1")
    Downstream.of(database).certificate_authority()
    Annotations.from_stack(cdk.Stack.of(database)).has_warning(
        "/Stack/Database", Match.string_like_regexp(f"expire on {soon}: upgrade cdk-breakwater")
    )


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read(stack: cdk.Stack, tmp_path: Any, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    endpoint = Downstream.endpoint(
        stack,
        "Endpoint",
        host="db.example.net",
        engine=DatabaseEngine.MYSQL,
        max_connections=50,
        certificate_authority=str(path),
    )
    with pytest.raises(BreakwaterError, match=r"Stack/Endpoint: certificate_authority='.*ca\.pem' cannot be read"):
        endpoint.certificate_authority()


@pytest.mark.parametrize(
    ("host", "roots"),
    [
        ("shop.c9akciq32abc.eu-central-1.rds.amazonaws.com", 3),
        ("Shop.cluster-c9akciq32abc.EU-central-1.RDS.amazonaws.com.", 3),
        ("shop.cluster-c9akciq32abc.eu-central-1.docdb.amazonaws.com", 3),
        ("shop.proxy-c9akciq32abc.eu-central-1.rds.amazonaws.com", 0),
        ("db.example.net", 0),
    ],
)
def test_an_endpoint_with_a_host_of_rds(app: cdk.App, host: str, roots: int) -> None:
    stack = cdk.Stack(app, "Stack")
    endpoint = Downstream.endpoint(stack, "Shop", host=host, engine=DatabaseEngine.POSTGRESQL, max_connections=100)
    assert certificates(endpoint.certificate_authority()) == roots
    assert endpoint.has_certificate_authority is bool(roots)


def test_an_endpoint_whose_host_is_not_known_says_so(app: cdk.App) -> None:
    stack = cdk.Stack(app, "Stack")
    host = cdk.Fn.import_value("host")
    Downstream.endpoint(stack, "Shop", host=host, engine=DatabaseEngine.POSTGRESQL, max_connections=100)
    Annotations.from_stack(stack).has_info(
        "/Stack/Shop", Match.string_like_regexp("verified with the operating system's authorities")
    )
