"""What is published: the wheel holds all that the library needs and no more, and is enough by itself."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from breakwater_runtime._version import VERSION

ROOT = Path(__file__).parents[1]
SOURCES = {
    "cdk_breakwater": ROOT / "constructs" / "cdk_breakwater",
    "breakwater_runtime": ROOT / "lambda_src" / "breakwater_runtime",
    "cdk_breakwater/lambda_src/handlers": ROOT / "lambda_src" / "handlers",
    "cdk_breakwater/lambda_src/nodejs": ROOT / "lambda_src" / "nodejs",
}
APP = """
import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2, aws_lambda as lambda_, aws_rds as rds
import breakwater_runtime, cdk_breakwater

app = cdk.App()
stack = cdk.Stack(app, "Stack")
vpc = ec2.Vpc(stack, "Vpc")
engine = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
database = rds.DatabaseInstance(stack, "Database", engine=engine, vpc=vpc, parameters={"max_connections": "112"})
cdk_breakwater.VpcDatabaseFunction(
    stack, "Orders", database=database, vpc=vpc, handler="index.handler", runtime=lambda_.Runtime.PYTHON_3_14,
    code=lambda_.Code.from_inline("def handler(event, context): ..."),
)
app.synth()
print(cdk_breakwater.__file__, breakwater_runtime.__file__)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    return next(folder.glob("cdk_breakwater-*.whl"))


def test_the_wheel_holds_the_library_the_runtime_and_the_handlers(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    metadata = {name for name in names if ".dist-info/" in name}
    expected = {
        f"{package}/{file.relative_to(source).as_posix()}"
        for package, source in SOURCES.items()
        for file in source.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert names - metadata == expected
    assert {name.partition("/")[2] for name in metadata} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def _description(wheel: Path) -> str:
    with zipfile.ZipFile(wheel) as packed:
        (name,) = (name for name in packed.namelist() if name.endswith(".dist-info/METADATA"))
        return packed.read(name).decode("utf-8").partition("\n\n")[2]


def _pages(wheel: Path) -> set[str]:
    return set(re.findall(r"`(docs[\w/.]*|[A-Z]+\.md)`", _description(wheel)))


def test_the_description_has_no_link_that_an_index_of_packages_cannot_follow(wheel: Path) -> None:
    description = _description(wheel)
    assert description.startswith("# cdk-breakwater\n")
    assert "docs/migration.md" in _pages(wheel)
    targets = re.findall(r"\]\(([^)]*)\)", description)
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


def test_the_source_distribution_holds_no_more_and_makes_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path, cwd=ROOT)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    assert {file.name for file in source.iterdir()} == {
        "CHANGELOG.md",
        "LICENSE",
        "PKG-INFO",
        "README.md",
        "constructs",
        "docs",
        "hatch_build.py",
        "lambda_src",
        "pyproject.toml",
        ".gitignore",
    }
    # what the description names is there
    assert {named for named in _pages(wheel) if not (source / named).exists()} == set()
    run(sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path, cwd=source)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_an_app_in_an_empty_environment_needs_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    environment, assembly = tmp_path / "venv", tmp_path / "cdk.out"
    constraints = tmp_path / "constraints.txt"
    pins = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line]
    constraints.write_text("\n".join(pins))
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--seed", "--python", sys.executable, environment, cwd=tmp_path)
    python = environment / "bin" / "python"
    install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python]
    run(*install, "--constraint", constraints, wheel, cwd=tmp_path)

    imported = run(python, "-c", APP, cwd=tmp_path, CDK_OUTDIR=str(assembly)).split()

    assert [Path(file).is_relative_to(environment) for file in imported] == [True, True]
    template = json.loads((assembly / "Stack.template.json").read_text())
    reserved = {
        resource["Properties"]["ReservedConcurrentExecutions"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function" and "ReservedConcurrentExecutions" in resource["Properties"]
    }
    assert reserved == {80}  # (112 - 12 of PostgreSQL's own) x 0.8
    (layer,) = assembly.glob("asset.*/python")
    assert {"breakwater_runtime", "psycopg"} <= {folder.name for folder in layer.iterdir()}
    assert "BEGIN CERTIFICATE" in (layer / "breakwater_runtime" / "ca.pem").read_text()


def test_the_runtime_alone_needs_nothing_and_weighs_little(tmp_path: Path) -> None:
    """cdk-breakwater brings aws_cdk along, 428 MB of it, and a function may have 250."""
    run(
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        tmp_path,
        cwd=ROOT / "lambda_src",
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {
        f"breakwater_runtime/{file.relative_to(SOURCES['breakwater_runtime']).as_posix()}"
        for file in SOURCES["breakwater_runtime"].rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    environment = tmp_path / "venv"
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--python", sys.executable, environment, cwd=tmp_path)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--python", python, wheel, cwd=tmp_path)
    shown = run(
        python,
        "-c",
        "import breakwater_runtime as b, importlib.metadata as m; from breakwater_runtime._version import VERSION\n"
        "assert b.database and b.batch and b.redis and b.fan_out\n"
        "print(*sorted(d.name for d in m.distributions()), m.version('cdk-breakwater-runtime'), VERSION)",
        cwd=tmp_path,
    )
    assert shown.split() == ["cdk-breakwater-runtime", VERSION, VERSION]
    installed = next(environment.glob("lib/python*/site-packages/breakwater_runtime"))
    size = sum(file.stat().st_size for file in installed.rglob("*") if "__pycache__" not in file.parts)
    assert size < 500_000


def test_both_distributions_are_of_one_version(wheel: Path) -> None:
    assert wheel.name.startswith(f"cdk_breakwater-{VERSION}-")


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    """Run a program that sees nothing of this checkout but what it is given."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=cwd, env={**environment, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
