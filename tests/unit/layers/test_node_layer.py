"""The Node.js layer, installed for real: npm downloads from the configured registry, into a cache of these tests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Template

from cdk_breakwater import (
    BreakwaterError,
    DatabaseEngine,
    Downstream,
    PublicSslDatabaseFunction,
    RuntimeLayer,
    VpcDatabaseFunction,
)
from cdk_breakwater.layers import build_cache
from cdk_breakwater.layers.node_layer import node_layer_content
from cdk_breakwater.layers.packaged_sources import source_directory
from cdk_breakwater.limits.rds_certificates import rds_certificates

NODE_22, NODE_24 = lambda_.Runtime.NODEJS_22_X, lambda_.Runtime.NODEJS_24_X
NODE = Path(sys.executable).with_name("node")
PERMISSIVE = {"MIT", "ISC", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause"}
LAYER = "AWS::Lambda::LayerVersion"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _own_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "cdk-breakwater"


def build(ca: str | None = None) -> Path:
    return node_layer_content("App/Layer", ca) / "nodejs" / "node_modules"


def files_of(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_what_the_layer_holds() -> None:
    modules = build(rds_certificates("eu-west-1"))
    lock = json.loads((source_directory("nodejs") / "package-lock.json").read_text())["packages"]
    pinned = {
        name.removeprefix("node_modules/"): entry["version"]
        for name, entry in lock.items()
        if name and not entry.get("peer") and not entry.get("optional")
    }
    packages = {file.parent.name: json.loads(file.read_text()) for file in modules.glob("*/package.json")}
    own = packages.pop("breakwater-runtime")
    assert (pinned["serverless-mysql"], pinned["serverless-postgres"]) == ("2.1.0", "2.1.2")
    assert {name: package["version"] for name, package in packages.items()} == pinned
    assert {package["license"] for package in [own, *packages.values()]} <= PERMISSIVE
    for name in ("serverless-mysql", "serverless-postgres"):
        assert "Permission is hereby granted" in (modules / name / "LICENSE").read_text()
    assert (modules / "breakwater-runtime" / "ca.pem").read_text() == rds_certificates("eu-west-1")
    # nothing of the installer's, no link and no machine code: the same on every machine and architecture
    assert not [path for path in modules.rglob("*") if path.is_symlink() or path.suffix in (".node", ".so")]
    assert not list(modules.glob(".*"))


def test_the_lock_file_names_no_registry() -> None:
    text = (source_directory("nodejs") / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert text.count('"integrity"') == len(json.loads(text)["packages"]) - 1


def test_the_content_is_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = files_of(build())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files_of(build()) == once


def test_the_second_build_installs_nothing(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build()
    monkeypatch.setattr(subprocess, "run", None)
    assert build() == first
    assert build(rds_certificates("eu-west-1")) != first
    assert sorted(path.name.rpartition("-")[0] for path in empty_cache.iterdir()) == [
        "node-drivers",
        "node-layer",
        "node-layer",
    ]


def test_without_npm(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(name: str, path: str) -> None:
        assert name == "npm"

    monkeypatch.setattr(shutil, "which", nothing)
    with pytest.raises(
        BreakwaterError, match=r"^App/Layer: .*needs npm, which is not installed\. Install npm.*on the PATH"
    ):
        build()
    assert not list(empty_cache.iterdir())


def test_npm_beside_jsii_s_node_is_found(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("JSII_NODE", str(NODE))
    assert (build() / "serverless-mysql").is_dir()


def test_the_project_s_npmrc_counts(empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tmp_path / "project"
    project.mkdir()
    # a port that nobody listens on, and nothing in npm's own cache
    (project / ".npmrc").write_text(f"registry=http://127.0.0.1:9/\nfetch-retries=0\ncache={tmp_path / 'npm'}\n")
    for name in [name for name in os.environ if name.lower() in ("npm_config_registry", "npm_config_cache")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(project)
    with pytest.raises(BreakwaterError, match=r"npm could not install .*ECONNREFUSED.*Check the network and the reg"):
        build()
    assert not list(empty_cache.iterdir())


def test_progress_only_when_it_takes_long(
    empty_cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_cache, "_QUIET_SECONDS", 0.0)
    build()
    assert capsys.readouterr().err == "building the Node.js runtime layer: npm ci …\n"
    build()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("kind", ["module", "commonjs"])
def test_both_module_kinds_load_and_share_one_module(kind: str, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(build())
    check = "if (typeof withDatabase !== 'function' || !require('breakwater-runtime/package.json')) process.exit(1)"
    program = tmp_path / ("index.mjs" if kind == "module" else "index.cjs")
    if kind == "module":
        program.write_text(
            "import { withDatabase, database } from 'breakwater-runtime'\nimport { createRequire } from 'node:module'\n"
            f"const require = createRequire(import.meta.url)\n{check}\n"
            "if (require('breakwater-runtime').withDatabase !== withDatabase) process.exit(2)\n"
        )
    else:
        program.write_text(f"const {{ withDatabase }} = require('breakwater-runtime')\n{check}\n")
    # as Lambda runs it: an ES module cannot be required there
    options = ["--no-experimental-require-module"]
    done = subprocess.run([NODE, *options, program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_one_layer_for_both_architectures() -> None:
    stack = Stack(App(), "Stack")
    layers = {
        RuntimeLayer.for_function_in(stack, runtime=NODE_22, architecture=architecture).node.id
        for architecture in (None, lambda_.Architecture.X86_64, lambda_.Architecture.ARM_64)
    }
    assert len(layers) == 1
    Template.from_stack(stack).has_resource_properties(
        LAYER,
        {
            "CompatibleRuntimes": ["nodejs22.x"],
            "CompatibleArchitectures": ["x86_64", "arm64"],
            "Description": "breakwater-runtime for Node.js, serverless-mysql, serverless-postgres",
        },
    )


@pytest.mark.parametrize(
    ("runtime", "drivers", "message"),
    [
        (lambda_.Runtime.NODEJS_16_X, [], r"given nodejs16\.x.*Choose nodejs18\.x or newer"),
        (lambda_.Runtime.NODEJS, [], r"given nodejs\)"),
        (NODE_24, ["pymysql==1.2.4"], r"\['pymysql==1\.2\.4'\] are pip requirements.*nodejs24\.x\. Leave drivers out"),
        (lambda_.Runtime.JAVA_21, [], r"for Python 3 and Node\.js \(given java21\)"),
    ],
)
def test_bad_input(runtime: lambda_.Runtime, drivers: list[str], message: str) -> None:
    with pytest.raises(BreakwaterError, match=f"^Stack/L: .*{message}"):
        RuntimeLayer(Stack(App(), "Stack"), "L", runtime=runtime, drivers=drivers)


CODE: dict[str, Any] = {"handler": "index.handler", "code": lambda_.Code.from_inline("exports.handler = () => {}")}


def database(stack: Stack, **options: Any) -> rds.DatabaseInstance:
    vpc = ec2.Vpc(stack, "Vpc")
    engine = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.of("8.4.7", "8.4"))
    return rds.DatabaseInstance(stack, "Db", engine=engine, vpc=vpc, parameters={"max_connections": "60"}, **options)


NODE_26 = lambda_.Runtime("nodejs26.x", lambda_.RuntimeFamily.NODEJS, supports_inline_code=True)


@pytest.mark.parametrize("runtime", [NODE_22, NODE_24, NODE_26])
def test_a_database_function_gets_the_layer_by_itself(runtime: lambda_.Runtime) -> None:
    stack = Stack(App(), "Stack")
    db = database(stack)
    VpcDatabaseFunction(stack, "Orders", database=db, vpc=db.vpc, runtime=runtime, **CODE)
    template = Template.from_stack(stack)
    (layer,) = template.find_resources(LAYER)
    (function,) = (
        resource["Properties"]
        for resource in template.find_resources("AWS::Lambda::Function").values()
        if "ReservedConcurrentExecutions" in resource["Properties"]
    )
    assert function["Layers"] == [{"Ref": layer}]
    assert function["Environment"]["Variables"]["BREAKWATER_TLS_CA"] == "bundled"


def test_a_function_before_a_public_database_gets_it_too() -> None:
    stack = Stack(App(), "Stack")
    db = database(stack, publicly_accessible=True, vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PUBLIC))
    PublicSslDatabaseFunction(stack, "Orders", database=db, runtime=NODE_24, **CODE)
    Template.from_stack(stack).resource_count_is(LAYER, 1)


@pytest.mark.parametrize(
    ("runtime", "engine"),
    [
        (NODE_24, DatabaseEngine.MONGODB),
        (NODE_24, DatabaseEngine.REDIS),
        (lambda_.Runtime.JAVA_21, DatabaseEngine.MYSQL),
        (lambda_.Runtime.PROVIDED_AL2023, DatabaseEngine.POSTGRESQL),
    ],
)
def test_what_it_cannot_serve_gets_no_layer(runtime: lambda_.Runtime, engine: DatabaseEngine) -> None:
    stack = Stack(App(), "Stack")
    secret = secretsmanager.Secret(stack, "Secret")
    endpoint = Downstream.endpoint(
        stack, "Elsewhere", host="db.example.net", engine=engine, max_connections=50, secret=secret
    )
    code = {
        "handler": "index.handler",
        "code": lambda_.Code.from_asset(str(Path(__file__).parents[1] / "limits" / "data")),
    }
    VpcDatabaseFunction(stack, "Orders", database=endpoint, vpc=ec2.Vpc(stack, "Vpc"), runtime=runtime, **code)
    Template.from_stack(stack).resource_count_is(LAYER, 0)
