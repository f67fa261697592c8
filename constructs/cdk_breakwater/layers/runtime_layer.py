"""The Lambda layer with the runtime, the drivers and the certificate authorities of the database."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, cast
from weakref import WeakKeyDictionary

from aws_cdk import Stack
from aws_cdk import aws_lambda as lambda_

from ..errors import BreakwaterError
from .build_cache import source_digest
from .node_layer import node_layer_content
from .python_layer import layer_content, runtime_source
from .wheels import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import RemovalPolicy
    from constructs import Construct

OLDEST_PYTHON = 10
# From it on Lambda's Node.js resolves ES modules in layers, and carries the AWS SDK v3. Source: AWS re:Post Knowledge
# Center, "How do I troubleshoot 'Cannot find module' errors in Lambda Node.js"; Lambda Developer Guide, "Node.js".
_OLDEST_NODE = 18
_by_stack: WeakKeyDictionary[Stack, dict[str, RuntimeLayer]] = WeakKeyDictionary()


class RuntimeLayer(lambda_.LayerVersion):
    """A layer with the runtime for Python or Node.js functions, built without Docker, once per content.

    For Python, the layer contains ``breakwater_runtime`` and the drivers that you name. For Node.js, it contains
    ``breakwater-runtime``, serverless-mysql and serverless-postgres in the versions that this release pins, for both
    architectures.

    Parameters
    ----------
    scope, id
        As for any construct.
    runtime
        The functions' runtime, Python 3.10 or newer, or Node.js 18 or newer.
    architecture
        The functions' architecture. Default: x86_64, as for a `Function`. Node.js: both.
    drivers
        pip requirements, such as ``pymysql==1.2.4``. Only wheels are possible. Pin them: a driver without a pinned
        version keeps the version that this machine downloaded first. Default: none, for drivers that are part of the
        function's own code. Not possible for Node.js.
    certificate_authority
        The certificate authorities that verify a server, as PEM. They become the ``ca.pem`` of the runtime.
    description
        Default: the drivers and the runtime.
    removal_policy
        Default: an old version is deleted with the stack or when another one takes its place.

    Notes
    -----
    The layer is built for stacks for which the CDK bundles assets. Tests whose app has the context
    ``{"aws:cdk:bundling-stacks": []}`` need neither uv nor a network.

    Raises
    ------
    BreakwaterError
        When the runtime isn't a supported Python or Node.js, when a driver has no wheel for it, when uv or npm is
        missing, or when the PEM contains no certificate, or a private key.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        runtime: lambda_.Runtime,
        architecture: lambda_.Architecture | None = None,
        drivers: Sequence[str] = (),
        certificate_authority: str | None = None,
        description: str | None = None,
        removal_policy: RemovalPolicy | None = None,
    ) -> None:
        where = f"{scope.node.path}/{id}"
        drivers = _distinct(drivers)
        _check(where, drivers, certificate_authority)
        # As the CDK's own bundling: for the stacks that the CLI was asked for, or that a test names with the context
        # "aws:cdk:bundling-stacks"; an empty list builds nothing, and the layer is a placeholder.
        bundles = Stack.of(scope).bundling_required
        if _is_node(runtime):
            _check_node(where, runtime.name, drivers)
            content = node_layer_content(where, certificate_authority) if bundles else runtime_source(where)
            architectures = [lambda_.Architecture.X86_64, lambda_.Architecture.ARM_64]
            says = "breakwater-runtime for Node.js, serverless-mysql, serverless-postgres"
        else:
            architectures = [architecture or lambda_.Architecture.X86_64]
            target = Target(_python(where, runtime.name), architectures[0].name)
            content = layer_content(where, target, drivers, certificate_authority) if bundles else runtime_source(where)
            says = f"breakwater_runtime for {target}, {', '.join(drivers) or 'no drivers'}"[:256]
        super().__init__(
            scope,
            id,
            # bytecode, which not every machine can make, doesn't count
            code=lambda_.Code.from_asset(str(content), asset_hash=f"{source_digest(content)} {says}"),
            compatible_runtimes=[runtime],
            compatible_architectures=architectures,
            description=description or says,
            removal_policy=removal_policy,
        )

    @staticmethod
    def for_function_in(
        scope: Construct,
        *,
        runtime: lambda_.Runtime,
        architecture: lambda_.Architecture | None = None,
        drivers: Sequence[str] = (),
        certificate_authority: str | None = None,
    ) -> RuntimeLayer:
        """Return the layer with this content in the scope's stack, or create it. All functions of a stack share it.

        Parameters
        ----------
        scope
            Any construct in the stack.
        runtime, architecture, drivers, certificate_authority
            As for the constructor.
        """
        stack = Stack.of(scope)
        architecture = architecture or lambda_.Architecture.X86_64
        name = "any" if _is_node(runtime) else architecture.name
        inputs = [runtime.name, name, *_distinct(drivers), certificate_authority]
        id_ = f"BreakwaterRuntime{hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:8]}"
        layers = _by_stack.setdefault(stack, {})
        if id_ not in layers:
            existing = stack.node.try_find_child(id_)
            layers[id_] = (
                cast("RuntimeLayer", existing)
                if existing
                else RuntimeLayer(
                    stack,
                    id_,
                    runtime=runtime,
                    architecture=architecture,
                    drivers=drivers,
                    certificate_authority=certificate_authority,
                )
            )
        return layers[id_]


def _distinct(drivers: Sequence[str]) -> list[str]:
    return sorted({driver.strip() for driver in drivers})


def _is_node(runtime: lambda_.Runtime) -> bool:
    return runtime.family == lambda_.RuntimeFamily.NODEJS


def _check_node(where: str, runtime: str, drivers: Sequence[str]) -> None:
    version = re.fullmatch(r"nodejs(\d+)\.x", runtime)
    if version is None or int(version[1]) < _OLDEST_NODE:
        remedy = f"Choose nodejs{_OLDEST_NODE}.x or newer, such as lambda_.Runtime.NODEJS_24_X."
        raise BreakwaterError(where, f"The Node.js runtime layer is for newer runtimes (given {runtime}).", remedy)
    if drivers:
        remedy = (
            "Leave drivers out: the layer carries serverless-mysql and serverless-postgres, others go into the code."
        )
        raise BreakwaterError(where, f"drivers={drivers} are pip requirements, and the runtime is {runtime}.", remedy)


def python_version(runtime: str) -> int | None:
    """Return the 14 of python3.14; None for another runtime."""
    version = re.fullmatch(r"python3\.(\d+)", runtime)
    return int(version[1]) if version else None


def _python(where: str, runtime: str) -> str:
    version = python_version(runtime)
    if version is None or version < OLDEST_PYTHON:
        remedy = f"Choose python3.{OLDEST_PYTHON} or newer, such as lambda_.Runtime.PYTHON_3_14."
        raise BreakwaterError(where, f"The runtime layer is for Python 3 and Node.js (given {runtime}).", remedy)
    return f"3.{version}"


def _check(where: str, drivers: Sequence[str], certificate_authority: str | None) -> None:
    for driver in drivers:
        if not driver or driver.startswith("-"):
            remedy = "Give pip requirements, such as 'pymysql==1.2.4'; options of pip belong into its configuration."
            raise BreakwaterError(where, f"A driver is {driver!r}.", remedy)
    if certificate_authority is None:
        return
    if "-----BEGIN CERTIFICATE-----" not in certificate_authority:
        remedy = "Give the text of a PEM file, not its name."
        raise BreakwaterError(where, "certificate_authority holds no certificate.", remedy)
    if "PRIVATE KEY-----" in certificate_authority:
        remedy = "Give the authority's certificates only, every function can read the layer."
        raise BreakwaterError(where, "certificate_authority holds a private key.", remedy)
