"""The queues, streams, APIs and other callers of functions with their limits, read out of templates."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from ..checks.answers import ABSENT, Absent, Block, Items, Unknown, texts
from ..checks.asynchronous import asynchronous_sources
from ..checks.event_source import sources_of
from ..checks.integrations import waiting
from ..checks.referring_resources import referring_to
from ..checks.resource import as_number
from ..limits.api_gateway import ACCOUNT_BURST, ACCOUNT_RATE
from ..limits.sqs import (
    DEFAULT_BATCH,
    DEFAULT_RETENTION_SECONDS,
    DEFAULT_VISIBILITY_SECONDS,
    MAXIMUM_BATCH,
    MAXIMUM_CONCURRENCY,
    MAXIMUM_RECEIVES,
    MAXIMUM_RETENTION_SECONDS,
    MAXIMUM_VISIBILITY_SECONDS,
    MINIMUM_CONCURRENCY,
    MINIMUM_RETENTION_SECONDS,
)
from ..limits.streams import DEFAULT_BATCH as DEFAULT_STREAM_BATCH
from ..limits.streams import MAXIMUM_BATCH as MAXIMUM_STREAM_BATCH
from ..limits.streams import MAXIMUM_FACTOR, MAXIMUM_RETRIES, NEW_ON_DEMAND_SHARDS
from ..simulation.entries import FIFO_POLLERS, POLLERS, Api, Bucket, Direct, Fifo, Queue, Stream
from ..simulation.load import Load

if TYPE_CHECKING:
    from ..checks.answers import Answer
    from ..checks.event_source import EventSource
    from ..checks.resource import Resource
    from .simulated_limits import Limits


_ACCOUNT = Bucket("the account's APIs", ACCOUNT_RATE, ACCOUNT_BURST)
_NOTHING = Load(())
_SINGLE = "the limits of single methods and clients are not simulated"


def add_source(source: EventSource, found: Limits) -> None:
    """Add the queue or stream of a mapping as an entry."""
    function = source.function
    if function is None:
        return
    if source.is_stream:
        _add_stream(source, function, found)
        return
    if not source.is_queue:
        name, before = found.name_of(source.mapping), found.name_of(function)
        found.note(f"{name}: an event source before {before}, which is not simulated")
        return
    mapping, queue = source.mapping, source.source
    name = _unused(found.name_of(mapping if queue is None else queue), found)
    visibility, receives, retention = float(DEFAULT_VISIBILITY_SECONDS), None, math.inf
    if queue is None:
        found.note(f"{name}: its queue is in no template; taken for one with {visibility:g} s and no dead-letter queue")
    else:
        most_seconds = (0, MAXIMUM_VISIBILITY_SECONDS)
        visibility = found.number(queue, DEFAULT_VISIBILITY_SECONDS, most_seconds, "VisibilityTimeout")
        receives = found.limit(queue, (1, MAXIMUM_RECEIVES), "RedrivePolicy", "maxReceiveCount")
        kept = (MINIMUM_RETENTION_SECONDS, MAXIMUM_RETENTION_SECONDS)
        retention = found.number(queue, DEFAULT_RETENTION_SECONDS, kept, "MessageRetentionPeriod")
    timeout = found.functions[found.name_of(function)].timeout
    if visibility < timeout:
        found.note(
            f"{name}: Lambda refuses a visibility timeout below the function's timeout of {timeout:g} s; taken for it"
        )
        visibility = timeout
    batch = int(found.number(mapping, DEFAULT_BATCH, (1, MAXIMUM_BATCH), "BatchSize"))
    if mapping.get("ProvisionedPollerConfig") is not ABSENT:
        found.note(f"{found.name_of(mapping)}: provisioned pollers are taken for ordinary ones")
    range_ = (MINIMUM_CONCURRENCY, MAXIMUM_CONCURRENCY)
    maximum = found.limit(mapping, range_, "ScalingConfig", "MaximumConcurrency")
    reports = "ReportBatchItemFailures" in texts(mapping.get("FunctionResponseTypes"))
    is_fifo = queue.flag("FifoQueue") is True if queue is not None else source.arn.endswith(".fifo")
    kind, pollers = (Fifo, FIFO_POLLERS) if is_fifo else (Queue, POLLERS)
    queued = kind(
        name, found.name_of(function), _NOTHING, batch, maximum, visibility, receives, reports, pollers=pollers
    )
    found.entries.append(replace(queued, retention=retention))


def _add_stream(source: EventSource, function: Resource, found: Limits) -> None:
    mapping, stream = source.mapping, source.stream
    name = _unused(found.name_of(mapping if stream is None else stream), found)
    shards = stream.limit("ShardCount") if stream is not None else Unknown()
    if isinstance(shards, Absent | Unknown):
        count = NEW_ON_DEMAND_SHARDS if stream is not None and stream.type == "AWS::Kinesis::Stream" else 1
        found.note(f"{name}: how many shards it has is known at deployment only; taken for {count}")
    elif shards < 1:
        count = 1
        found.note(f"{name}: its ShardCount of {shards:g} is none that AWS takes; taken for 1")
    else:
        count = int(shards)
    factor = int(found.number(mapping, 1, (1, MAXIMUM_FACTOR), "ParallelizationFactor"))
    batch = int(found.number(mapping, DEFAULT_STREAM_BATCH, (1, MAXIMUM_STREAM_BATCH), "BatchSize"))
    retries = found.limit(mapping, (-1, MAXIMUM_RETRIES), "MaximumRetryAttempts")
    attempts = None if retries is None or retries < 0 else retries + 1
    found.entries.append(
        Stream.of(
            name,
            found.name_of(function),
            _NOTHING,
            batch_size=batch,
            shards=count,
            factor=factor,
            most_attempts=attempts,
            reports_failures="ReportBatchItemFailures" in texts(mapping.get("FunctionResponseTypes")),
            splits=mapping.flag("BisectBatchOnFunctionError") is True,
        )
    )


def add_callers(function: Resource, found: Limits, *, is_called: bool) -> None:
    """Add the APIs, and whatever else calls a function, as entries."""
    apis = [api for api in waiting(function) if api.get("ProtocolType") != "WEBSOCKET"]
    for api in apis:
        name = _unused(found.name_of(api), found)
        found.entries.append(Api(name, found.name_of(function), _NOTHING, (*_stage(api, found), _ACCOUNT)))
    # What is called in several ways gets the queues and APIs first: they are what carries a burst.
    if is_called or apis or sources_of(function):
        return
    called = asynchronous_sources(function)
    waits = not called
    found.entries.append(Direct(_unused(found.name_of(function), found), found.name_of(function), _NOTHING, waits))
    by = ", ".join(sorted({source.name for source, _ in called})[:3])
    because = f"called by {by}" if by else "called by nothing in the templates, or a function URL"
    found.because[found.name_of(function)] = because


def _stage(api: Resource, found: Limits) -> list[Bucket]:
    """Give the default rate and burst of an API's stage; the account's are there anyway."""
    plans = api.template.assembly.resources("AWS::ApiGateway::UsagePlan")
    if any(api is each.resource for plan in plans for each in plan.references("ApiStages")):
        found.note(f"{found.name_of(api)}: {_SINGLE}")
    stages = referring_to(api, "AWS::ApiGateway::Stage", "RestApiId")
    stages += referring_to(api, "AWS::ApiGatewayV2::Stage", "ApiId")
    for stage in stages:
        settings = stage.get("DefaultRouteSettings")
        routes = stage.get("RouteSettings")
        if isinstance(routes, Block) and [*routes.names()]:
            found.note(f"{found.name_of(stage)}: {_SINGLE}")
        if stage.type == "AWS::ApiGateway::Stage":
            settings = _of_all_methods(stage, found)
        rate, burst = (
            as_number(settings.get(limit), -1) if isinstance(settings, Block) else -1.0
            for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit")
        )
        if isinstance(rate, Unknown) or isinstance(burst, Unknown):
            found.note(f"{found.name_of(stage)}: its rate or burst is known at deployment only; taken for none")
        elif rate >= 0 and burst >= 0:
            return [Bucket(found.name_of(stage), rate, burst)]
    return []


def _of_all_methods(stage: Resource, found: Limits) -> Answer:
    settings = stage.items("MethodSettings")
    of_all: Answer = ABSENT
    for setting in settings if isinstance(settings, Items) else ():
        if not isinstance(setting, Block):
            continue
        if setting.get("HttpMethod") == "*" and setting.get("ResourcePath") == "/*":
            of_all = setting
        else:
            found.note(f"{found.name_of(stage)}: {_SINGLE}")
    return of_all


def _unused(name: str, found: Limits) -> str:
    used = {entry.name for entry in found.entries}
    names = [name, *(f"{name} ({number})" for number in range(2, len(used) + 3))]
    return next(each for each in names if each not in used)
