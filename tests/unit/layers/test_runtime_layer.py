"""The layer, built for real: uv downloads from the configured index, into a cache that only these tests use."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Match, Template

from cdk_breakwater.errors import BreakwaterError
from cdk_breakwater.layers import build_cache, python_layer, runtime_layer
from cdk_breakwater.layers.python_layer import layer_content
from cdk_breakwater.layers.runtime_layer import RuntimeLayer
from cdk_breakwater.layers.wheels import Target
from cdk_breakwater.limits.rds_certificates import rds_certificates

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

PYMYSQL = "pymysql==1.2.4"
PSYCOPG = "psycopg[binary]==3.3.9"
REDIS = "redis==8.1.0"
RUNTIMES = {
    "3.10": lambda_.Runtime.PYTHON_3_10,
    "3.11": lambda_.Runtime.PYTHON_3_11,
    "3.12": lambda_.Runtime.PYTHON_3_12,
    "3.13": lambda_.Runtime.PYTHON_3_13,
    "3.14": lambda_.Runtime.PYTHON_3_14,
}
NEWEST = RUNTIMES["3.14"]
PYTHON = "{}.{}".format(*sys.version_info)
ELF_MACHINE = {"x86_64": 0x3E, "arm64": 0xB7}


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


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Every command that is run to install drivers."""
    commands: list[list[str]] = []
    run = subprocess.run

    def recorded(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        if "install" in command:
            commands.append(command)
        return run(command, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(subprocess, "run", recorded)
    return commands


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    find_spec = importlib.util.find_spec

    def find(name: str) -> ModuleSpec | None:
        return None if name in modules else find_spec(name)

    monkeypatch.setattr(importlib.util, "find_spec", find)


def build(python: str, *drivers: str, architecture: str = "x86_64", ca: str | None = None) -> Path:
    return layer_content("App/Layer", Target(python, architecture), drivers, ca) / "python"


def files_of(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def asset_of(stack: Stack) -> str:
    (layer,) = Template.from_stack(stack).find_resources("AWS::Lambda::LayerVersion").values()
    return layer["Properties"]["Content"]["S3Key"]


@pytest.mark.parametrize("python", RUNTIMES)
def test_a_layer_for_every_runtime(python: str) -> None:
    stack = Stack(App(), "Stack")
    RuntimeLayer(
        stack, "Layer", runtime=RUNTIMES[python], drivers=[PYMYSQL], certificate_authority=rds_certificates(None)
    )
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::LayerVersion",
        {
            "CompatibleRuntimes": [f"python{python}"],
            "CompatibleArchitectures": ["x86_64"],
            "Description": f"breakwater_runtime for Python {python} x86_64, {PYMYSQL}",
            "Content": {"S3Key": Match.any_value()},
        },
    )
    folder = build(python, PYMYSQL, ca=rds_certificates(None))
    content = {file.relative_to(folder).as_posix() for file in build_cache.source_files(folder)}
    found = set(files_of(folder))
    assert {"breakwater_runtime/__init__.py", "breakwater_runtime/ca.pem", "pymysql/__init__.py"} <= found
    assert (folder / "breakwater_runtime" / "ca.pem").read_text() == rds_certificates(None)
    assert {path.split("/")[0] for path in found} == {"breakwater_runtime", "pymysql", "pymysql-1.2.4.dist-info"}
    assert not [path for path in content if path.endswith((".pyc", "RECORD", "INSTALLER"))]
    # this machine may have that Python, and then each module has its bytecode
    compiled = found - content
    if python == PYTHON:
        assert len(compiled) == len([path for path in content if path.endswith(".py")])
        bytecode = (folder / "pymysql" / "__pycache__" / f"err.{sys.implementation.cache_tag}.pyc").read_bytes()
        # PEP 552: hash-based, and the source is not looked at
        assert bytecode[4:8] == b"\x01\x00\x00\x00"
        assert b"/opt/python/pymysql/err.py" in bytecode
    assert all(path.endswith(f".cpython-{python.replace('.', '')}.pyc") for path in compiled)


def test_a_machine_without_the_target_s_python_makes_the_same_asset(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asset(interpreter: str | None) -> tuple[str, int]:
        stack = Stack(App(), "Stack")
        monkeypatch.setattr(python_layer, "interpreter_of", {PYTHON: interpreter}.get)
        RuntimeLayer(stack, "Layer", runtime=RUNTIMES[PYTHON])
        return asset_of(stack), len(list(empty_cache.rglob("*.pyc")))

    found, modules = asset(sys.executable)
    assert modules > 50
    # another cache; nothing, then a shim of pyenv, which can't say which Python it would be
    shutil.rmtree(empty_cache)
    assert asset(None) == (found, 0)
    assert asset("/bin/false") == (found, 0)


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_binary_drivers_are_the_target_s(architecture: str) -> None:
    folder = build("3.14", PSYCOPG, architecture=architecture)
    extensions = list(folder.glob("psycopg_binary/*.so"))
    assert extensions
    for extension in extensions:
        header = extension.read_bytes()[:20]
        assert header[:4] == b"\x7fELF"
        assert int.from_bytes(header[18:20], "little") == ELF_MACHINE[architecture]
        assert "cpython-314" in extension.name
    assert not (folder / "typing_extensions.py").exists()


def test_dependencies_are_the_target_s_not_the_host_s() -> None:
    """pip itself would ask the Python that it runs under whether these are needed."""
    assert (build("3.12", PSYCOPG) / "typing_extensions.py").exists()
    assert (build("3.10", REDIS) / "async_timeout").exists()
    assert not (build("3.14", REDIS) / "async_timeout").exists()


def test_uv_on_the_path_will_do(empty_cache: Path, installs: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "uv")
    build("3.14", PYMYSQL)
    assert installs[0][0] == shutil.which("uv")


@pytest.mark.parametrize("runtime", [NEWEST, lambda_.Runtime.NODEJS_24_X], ids=lambda runtime: runtime.name)
def test_a_stack_that_is_not_bundled_needs_neither_uv_nor_npm(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch, runtime: lambda_.Runtime
) -> None:
    monkeypatch.setenv("PATH", "")
    without(monkeypatch, "uv")
    stack = Stack(App(context={"aws:cdk:bundling-stacks": []}), "Stack")
    RuntimeLayer(stack, "Layer", runtime=runtime, drivers=[PYMYSQL] if runtime is NEWEST else [])
    Template.from_stack(stack).resource_count_is("AWS::Lambda::LayerVersion", 1)
    assert not empty_cache.exists()


def test_no_uv(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "uv")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BreakwaterError, match=r"^App/Layer: The drivers need uv, .* pip install uv\.$"):
        build("3.14", PYMYSQL)
    assert not list(empty_cache.iterdir())


def test_the_second_build_installs_nothing(empty_cache: Path, installs: list[list[str]]) -> None:
    first = build("3.14", PYMYSQL)
    assert len(installs) == 1
    assert build("3.14", PYMYSQL) == first
    assert build("3.14", PYMYSQL, ca=rds_certificates("eu-west-1")) != first
    assert len(installs) == 1
    assert sorted(path.name.split("-")[0] for path in empty_cache.iterdir()) == ["drivers", "layer", "layer"]


def test_synths_at_the_same_time_do_not_collide(empty_cache: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        folders = set(pool.map(build, ["3.14"] * 3, [PYMYSQL] * 3))
    assert len(folders) == 1
    assert len(list(empty_cache.iterdir())) == 2


def test_the_content_is_the_same_on_every_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def asset() -> str:
        stack = Stack(App(), "Stack")
        RuntimeLayer(stack, "Layer", runtime=NEWEST, drivers=[PYMYSQL])
        return asset_of(stack)

    here = asset()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(Path(sys.executable).with_name("python3")))
    assert asset() == here


def test_packages_come_from_where_pip_gets_them(
    empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A company's index stands in pip's configuration, which uv does not read."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    make_wheel(wheels / "mine-1-py3-none-any.whl", "one = 1")
    configuration = tmp_path / "pip.conf"
    configuration.write_text(f"[global]\nfind-links =\n  {wheels}\n  {tmp_path}\nno-index = true\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    assert (build("3.14", "mine") / "mine.py").read_text() == "one = 1"
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(BreakwaterError):
        build("3.13", "mine")


def test_a_wheel_of_ones_own_is_built_anew_when_it_changes(empty_cache: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "mine-1-py3-none-any.whl"
    make_wheel(wheel, "one = 1")
    first = build("3.14", str(wheel))
    assert (first / "mine.py").read_text() == "one = 1"
    make_wheel(wheel, "two = 2")
    assert (build("3.14", str(wheel)) / "mine.py").read_text() == "two = 2"


def make_wheel(path: Path, source: str) -> None:
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("mine.py", source)
        wheel.writestr("mine-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
        wheel.writestr("mine-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("mine-1.dist-info/RECORD", "")


def test_a_driver_without_a_wheel(empty_cache: Path) -> None:
    stack = Stack(App(), "Stack")
    with pytest.raises(BreakwaterError) as error:
        RuntimeLayer(stack, "Layer", runtime=NEWEST, drivers=["psycopg-binary==3.1.9"])
    text = str(error.value)
    assert text.startswith(
        "Stack/Layer: The driver psycopg-binary==3.1.9 has no wheel for Python 3.14 x86_64, glibc 2.34. ("
    )
    assert text.endswith(
        "Choose a version with such a wheel, another runtime or architecture, or a driver in pure Python."
    )
    assert not list(empty_cache.iterdir())


def test_an_index_out_of_reach(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_NO_CACHE", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(
        BreakwaterError, match=r"^App/Layer: The driver .* could not be downloaded\..*Check the network"
    ):
        build("3.14", PYMYSQL)
    assert not list(empty_cache.iterdir())


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(BreakwaterError, match=r"^App/Layer: The cache .* can't be written .*Set XDG_CACHE_HOME"):
        build("3.14", PYMYSQL)


def test_progress_only_when_it_takes_long(
    empty_cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    line = f"building the runtime layer: {PYMYSQL} for Python 3.13 x86_64 …\n"
    monkeypatch.setattr(build_cache, "_QUIET_SECONDS", 600.0)
    build("3.14", PYMYSQL)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(build_cache, "_QUIET_SECONDS", 0.0)
    build("3.13", PYMYSQL)
    assert capsys.readouterr().err == line
    build("3.13", PYMYSQL)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("runtime", "drivers", "authority", "message"),
    [
        (lambda_.Runtime.JAVA_21, [], None, r"given java21.*python3\.10 or newer"),
        (lambda_.Runtime.PYTHON_3_9, [], None, r"given python3\.9"),
        (NEWEST, ["-r x"], None, r"A driver is '-r x'\. Give pip requirements"),
        (NEWEST, [" "], None, "A driver is ''"),
        (NEWEST, [], "ca.pem", r"holds no certificate\. Give the text of a PEM file, not its name"),
        (NEWEST, [], rds_certificates("eu-west-1") + "-----BEGIN PRIVATE KEY-----", "holds a private key"),
    ],
)
def test_bad_input(runtime: lambda_.Runtime, drivers: list[str], authority: str | None, message: str) -> None:
    with pytest.raises(BreakwaterError, match=f"^Stack/L: .*{message}"):
        RuntimeLayer(Stack(App(), "Stack"), "L", runtime=runtime, drivers=drivers, certificate_authority=authority)


def test_functions_of_a_stack_share_a_layer() -> None:
    app = App()
    one, two = Stack(app, "One"), Stack(app, "Two")
    layer_in = partial(
        RuntimeLayer.for_function_in, runtime=NEWEST, certificate_authority=rds_certificates("eu-west-1")
    )
    layer = layer_in(one, drivers=[PYMYSQL])
    assert layer_in(one, drivers=[PYMYSQL], architecture=lambda_.Architecture.X86_64) is layer
    assert layer_in(one, drivers=[f" {PYMYSQL}", PYMYSQL]) is layer
    assert layer_in(layer, drivers=[PYMYSQL]) is layer
    runtime_layer._by_stack.clear()
    assert layer_in(one, drivers=[PYMYSQL]) is layer
    other = layer_in(two, drivers=[PYMYSQL])
    assert (other is not layer, other.node.id) == (True, layer.node.id)
    assert asset_of(one) == asset_of(two)


def test_different_content_is_a_layer_of_its_own() -> None:
    stack = Stack(App(), "Stack")
    layers = [
        RuntimeLayer.for_function_in(stack, runtime=NEWEST),
        RuntimeLayer.for_function_in(stack, runtime=RUNTIMES["3.13"]),
        RuntimeLayer.for_function_in(stack, runtime=NEWEST, architecture=lambda_.Architecture.ARM_64),
        RuntimeLayer.for_function_in(stack, runtime=NEWEST, drivers=[PYMYSQL]),
        RuntimeLayer.for_function_in(stack, runtime=NEWEST, certificate_authority=rds_certificates("eu-west-1")),
    ]
    assert len({layer.node.id for layer in layers}) == 5
    Template.from_stack(stack).resource_count_is("AWS::Lambda::LayerVersion", 5)


def test_asking_again_is_cheap() -> None:
    stack = Stack(App(), "Stack")

    def seconds() -> float:
        start = time.perf_counter()
        RuntimeLayer.for_function_in(
            stack, runtime=NEWEST, drivers=[PYMYSQL], certificate_authority=rds_certificates(None)
        )
        return time.perf_counter() - start

    first = seconds()
    assert min(seconds() for _ in range(20)) < first / 2


def test_what_the_layer_holds_can_be_imported(tmp_path: Path) -> None:
    """In a Python of its own that sees nothing but the layer."""
    python = f"3.{sys.version_info.minor}"
    folder = build(python, PYMYSQL, ca=rds_certificates("eu-west-1"))
    program = "import sys; sys.path.insert(0, sys.argv[1]); import breakwater_runtime as b, pymysql; print(b.__file__)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(folder / "breakwater_runtime" / "__init__.py")


def test_more_than_lambda_unzips_is_refused(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = sum(file.stat().st_size for file in build("3.14").rglob("*"))
    monkeypatch.setattr(python_layer, "UNZIPPED_BYTES", alone + 10_000)
    with pytest.raises(BreakwaterError, match=rf"App/Layer: the layer with {PYMYSQL} holds [\d,]+ bytes"):
        build("3.14", PYMYSQL)
    assert [folder.name.partition("-")[0] for folder in empty_cache.iterdir()].count("layer") == 1
