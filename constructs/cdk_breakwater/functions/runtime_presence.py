"""Whether `breakwater_runtime` is part of a database function: what that changes, and whether its layer fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from aws_cdk import Annotations
from aws_cdk import aws_lambda as lambda_

from .._cdk.rendered import rendered
from ..errors import BreakwaterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import IConstruct

    from ..downstreams.downstream import Downstream
    from .database_users.placement import FunctionPlacement


def say_what_is_lost(function: lambda_.Function, downstream: Downstream, *, overlap: bool | None) -> None:
    """Note that a function is without the runtime, and how its share counts."""
    counts = (
        "Its share counts twice, because old and new environments hold connections at the same time after a "
        "deployment. Pass overlap=False if it closes its connections before it returns."
        if overlap is None or overlap
        else "overlap=False says that it closes its connections before it returns."
    )
    if function.runtime.name == lambda_.Runtime.FROM_IMAGE.name:
        missing = (
            "a container image takes no layer: install cdk-breakwater-runtime and the driver in the image"
            + (
                ", and name a file with the certificate authorities in BREAKWATER_TLS_CA"
                * (downstream.tls_ca != "system")
            )
            + "; without them"
        )
    else:
        missing = (
            f"breakwater_runtime is not part of a function of {function.runtime.name} with {downstream.engine.value}:"
        )
    Annotations.of(function).add_info_v2(
        "cdk-breakwater:without-runtime",
        f"{missing} nothing replaces its broken connections, or gives connections back when the server runs short. "
        f"{counts}",
    )


def require_drivers(placement: FunctionPlacement, downstreams: Sequence[Downstream]) -> None:
    """Refuse what `breakwater_runtime` has no driver for: it would fail at import, in every invocation."""
    for downstream in downstreams:
        if downstream.engine.driver is None:
            raise BreakwaterError(
                placement.path,
                f"breakwater_runtime does not speak the protocol of {downstream.engine.value} in Python.",
                "Pass drivers=[…], and connect with the driver itself, or limit a lambda_.Function with "
                "ConnectionBudget.of(database).share(…).limit(function).",
            )


def layer_errors(function: lambda_.Function, placement: FunctionPlacement) -> list[str]:
    """Say what an Aspect or an override changed of runtime or architecture after the layer was built for others."""
    resource = cast("IConstruct", function.node.default_child)
    found = rendered(resource, "Runtime", "Architectures")
    architecture = placement.options.get("architecture") or lambda_.Architecture.X86_64
    layer = (placement.runtime.name, architecture.name)
    has = (found.get("Runtime"), found.get("Architectures", [lambda_.Architecture.X86_64.name])[0])
    if layer == has:
        return []
    return [
        f"{resource.node.path} is for {' on '.join(map(str, has))} in the template, and its runtime layer was built "
        f"for {' on '.join(layer)}: an Aspect or an override came after it. Pass runtime=… and architecture=… to the "
        "construct."
    ]
