"""Which certificate authorities a function verifies its database with, and what is said when there are none."""

from __future__ import annotations

import datetime
from typing import Any
from unittest.mock import Mock

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_ssm as ssm
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import BreakwaterError, ConnectionBudget, DatabaseEngine, Downstream, PublicSslDatabaseFunction
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
        ("shop.global-c9akciq32abc.global.rds.amazonaws.com", 81),
        ("shop.proxy-c9akciq32abc.eu-central-1.rds.amazonaws.com", 0),
        ("db.example.net", 0),
    ],
)
def test_an_endpoint_with_a_host_of_rds(app: cdk.App, host: str, roots: int) -> None:
    stack = cdk.Stack(app, "Stack")
    endpoint = Downstream.endpoint(stack, "Shop", host=host, engine=DatabaseEngine.POSTGRESQL, max_connections=100)
    assert certificates(endpoint.certificate_authority()) == roots
    assert endpoint.tls_ca == ("bundled" if roots else "system")


@pytest.mark.parametrize(
    "form", ["shop.abc.cn-north-1.rds.amazonaws.com.cn", "shop.abc.rds.cn-north-1.amazonaws.com.cn"]
)
def test_an_endpoint_in_a_region_without_says_what_to_do(stack: cdk.Stack, form: str) -> None:
    endpoint = Downstream.endpoint(stack, "Shop", host=form, engine=DatabaseEngine.MYSQL, max_connections=100)
    with pytest.raises(BreakwaterError, match=r"Stack/Shop: .*cn-north-1.*Downstream\.endpoint\(…\) takes it"):
        endpoint.certificate_authority()


@pytest.mark.parametrize(
    ("engine", "more", "tls_ca"),
    [
        (DatabaseEngine.POSTGRESQL, {}, "by-host"),
        (DatabaseEngine.AURORA_MYSQL, {}, "by-host"),
        (DatabaseEngine.MONGODB, {}, "by-host"),
        (DatabaseEngine.POSTGRESQL, {"pooler": True}, "system"),
        (DatabaseEngine.AURORA_DSQL, {}, "system"),
        (DatabaseEngine.REDIS, {}, "system"),
        (DatabaseEngine.VALKEY, {}, "system"),
    ],
)
def test_a_host_that_is_a_token_may_be_of_rds(engine: DatabaseEngine, more: dict[str, Any], tls_ca: str) -> None:
    region = cdk.Environment(account="123456789012", region="eu-central-1")
    stack = cdk.Stack(cdk.App(), "Stack", env=region)
    parameter = ssm.StringParameter.from_string_parameter_name(stack, "Host", "/shop/host")
    for number, host in enumerate((cdk.Fn.import_value("host"), parameter.string_value)):
        endpoint = Downstream.endpoint(stack, f"S{number}", host=host, engine=engine, max_connections=100, **more)
        assert endpoint.tls_ca == tls_ca
        assert certificates(endpoint.certificate_authority()) == (81 if tls_ca == "by-host" else 0)
    Annotations.from_stack(stack).has_no_info("*", Match.any_value())


def test_a_function_of_such_a_host_chooses_by_it(stack: cdk.Stack, code: dict[str, Any]) -> None:
    host = cdk.Fn.import_value("host")
    secret = secretsmanager.Secret(stack, "Secret")
    endpoint = Downstream.endpoint(
        stack, "Shop", host=host, engine=DatabaseEngine.MYSQL, max_connections=100, secret=secret
    )
    PublicSslDatabaseFunction(stack, "Orders", database=endpoint, **code)
    template = Template.from_stack(stack)
    template.has_resource_properties(
        "AWS::Lambda::Function", {"Environment": {"Variables": {"BREAKWATER_TLS_CA": "by-host"}}}
    )


def test_a_host_that_is_a_token_in_a_region_without_says_what_to_do(app: cdk.App) -> None:
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account="123456789012", region="il-central-1"))
    Downstream.endpoint(
        stack, "Shop", host=cdk.Fn.import_value("host"), engine=DatabaseEngine.POSTGRESQL, max_connections=100
    )
    Annotations.from_stack(stack).has_info(
        "/Stack/Shop", Match.string_like_regexp("a database of RDS in il-central-1, .* certificate_authority=…")
    )
