"""The limits that `breakwater simulate` runs a burst against, read out of templates by the checks' reader."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..checks.answers import ABSENT, Absent, Block, Items, Unknown, known_text, references_in, texts
from ..checks.asynchronous import asynchronous_sources
from ..checks.callers import called_rarely
from ..checks.concurrency import reserved
from ..checks.connections import connections
from ..checks.environment import environment
from ..checks.event_source import event_sources, sources_of
from ..checks.integrations import waiting
from ..checks.referring_resources import referring_to
from ..checks.resource import as_number
from ..checks.server_limit import server_limit
from ..limits.account_quota import reservable
from ..limits.api_gateway import ACCOUNT_BURST, ACCOUNT_RATE
from ..limits.aws_lambda import DEFAULT_TIMEOUT_SECONDS, MAXIMUM_MANAGED_TIMEOUT_SECONDS
from ..limits.engines import DatabaseEngine
from ..limits.max_connections import UnknownMaxConnections
from ..limits.rds_proxy import DEFAULT_BORROW_SECONDS, MAXIMUM_BORROW_SECONDS, default_percent
from ..limits.service_limits import for_engine
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
from ..simulation.application import Function
from ..simulation.application import Server as SimulatedServer
from ..simulation.entries import Api, Bucket, Direct, Queue, Stream
from ..simulation.load import Load
from .simulated_quotas import add_quotas, belongs_to_quota

if TYPE_CHECKING:
    from ..checks import Assembly
    from ..checks.answers import Answer
    from ..checks.connection import Connection
    from ..checks.event_source import EventSource
    from ..checks.resource import Resource
    from ..checks.servers import Server
    from ..simulation.duration import Duration
    from ..simulation.entries import Entry

_FUNCTION = "AWS::Lambda::Function"
_ACCOUNT = Bucket("the account's APIs", ACCOUNT_RATE, ACCOUNT_BURST)
_NOTHING = Load(())
_HOST = re.compile(r"(BREAKWATER_(?:\w+_)?)HOST")


@dataclass
class Limits:
    """What templates say.

    Attributes
    ----------
    entries, functions, servers
        As the simulation takes them, without loads.
    unreserved
        The concurrency that functions without a reservation share.
    because
        How each limit is known, by its resource, for people.
    engines
        Of servers, by name, where it is known.
    notes
        What was assumed, and what is in the templates and is not simulated.
    """

    entries: list[Entry] = field(default_factory=list)
    functions: dict[str, Function] = field(default_factory=dict)
    servers: dict[str, SimulatedServer] = field(default_factory=dict)
    unreserved: int = 0
    because: dict[str, str] = field(default_factory=dict)
    engines: dict[str, DatabaseEngine] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def note(self, line: str) -> None:
        """Say something once."""
        if line not in self.notes:
            self.notes.append(line)


def read_limits(assembly: Assembly, duration: Duration) -> Limits:
    """Read an app's limits.

    Parameters
    ----------
    assembly
        Its templates.
    duration
        Of one request of each function, until something else is said.
    """
    found = Limits()
    functions = assembly.resources(_FUNCTION)
    taken = sum(int(amount) for function in functions if not isinstance(amount := reserved(function), Absent | Unknown))
    quota = assembly.account_concurrency
    found.unreserved = max(quota - reservable(quota), quota - taken)
    if taken > (most := reservable(quota)):
        found.note(f"the functions reserve {taken:,}, and an account with {quota:,} lets them reserve {most:,}")
    for function in functions:
        if not called_rarely(function) and not belongs_to_quota(function):
            found.functions[function.name] = _function(function, duration, found)
    behind_quotas = add_quotas(functions, found)
    for source in event_sources(assembly):
        if source.enabled and source.function is not None and source.function.name in found.functions:
            _add_source(source, found)
    for function in functions:
        if function.name in found.functions:
            _add_callers(function, found, is_called=function.name in behind_quotas)
    return found


def _function(function: Resource, duration: Duration, found: Limits) -> Function:
    amount = reserved(function)
    if isinstance(amount, Unknown):
        found.note(f"{function.name}: its reserved concurrency is known at deployment only; taken for none")
    limit = None if isinstance(amount, Absent | Unknown) else max(0, int(amount))
    most = (1, MAXIMUM_MANAGED_TIMEOUT_SECONDS)
    timeout = _number(function, DEFAULT_TIMEOUT_SECONDS, most, "Timeout", found=found)
    if function.get("CapacityProviderConfig") is not ABSENT:
        found.note(f"{function.name}: on Managed Instances, whose scaling is not simulated")
    held = _told(function, found)
    for connection in connections(function):
        if connection.server is None and held:
            continue  # what its variables tell of it is told better
        engine = connection.server.engine if connection.server is not None else None
        held[_server(connection, found)] = engine.connections_per_environment if engine is not None else 1
    return Function(function.name, duration, timeout, limit, held)


def _told(function: Resource, found: Limits) -> dict[str, int]:
    """Give the servers in no template that this library's own variables tell of, with the connections held of each."""
    told = dict(environment(function))
    held: dict[str, int] = {}
    for variable, answer in told.items():
        own = _HOST.fullmatch(variable)
        if own is None or references_in(answer) or _word(told, own[1], "PROXY") == "1":
            continue
        runtime_engine = _word(told, own[1], "ENGINE")
        engine = next((each for each in DatabaseEngine if each.runtime_engine == runtime_engine), None)
        name, port = known_text(answer) or f"{variable} of {function.name}", _word(told, own[1], "PORT")
        if engine is not None and port not in ("", str(engine.default_port)):
            name = f"{name}:{port}"  # several servers may stand on one host
        held[name] = engine.connections_per_environment if engine is not None else 1
        if engine is not None:
            found.engines[name] = engine
        most = as_number(told.get(f"{own[1]}MAX_CONNECTIONS", ABSENT), -1)
        if name in found.servers:
            continue
        if isinstance(most, Unknown) or most < 0:
            _add_unknown(name, found)
        else:
            kept = engine.reserved_connections if engine is not None else 0
            found.servers[name] = SimulatedServer(name, int(most), max(0, int(most) - kept))
            found.because[name] = f"{own[1]}MAX_CONNECTIONS"
    return held


def _word(told: dict[str, Answer], prefix: str, name: str) -> str:
    return known_text(told.get(f"{prefix}{name}", ABSENT))


def _add_unknown(name: str, found: Limits) -> None:
    found.servers[name] = SimulatedServer(name, None, math.inf)
    found.because[name] = "unknown"
    found.note(f"{name}: its max_connections is not in the templates; say --max-connections '{name}=N'")


def _server(connection: Connection, found: Limits) -> str:
    """Give the name of what a function holds connections of, and note it down."""
    if connection.proxied is not None:
        return _proxy(connection.proxied, connection.server, connection.to, found)
    name, times = connection.to, 1
    server = connection.server
    if connection.reads and server is not None and server.most_readers != 0:
        name, times = f"readers of {name}", server.most_readers or 1
        if server.most_readers is None and name not in found.servers:
            _add_unknown(name, found)
    if name in found.servers:
        return name
    if server is not None and server.engine is not None and times == 1:
        found.engines[name] = server.engine
    limit = server_limit(server) if server is not None else None
    if limit is not None:
        found.servers[name] = SimulatedServer(name, limit.limit.value * times, limit.usable * times)
        found.because[name] = limit.limit.basis
        return name
    try:
        if server is None or server.engine is None:
            raise UnknownMaxConnections("It is in no template.")
        wide = for_engine(server.engine)
    except UnknownMaxConnections:
        _add_unknown(name, found)
    else:
        found.servers[name] = SimulatedServer(name, wide.value, wide.value)
        found.because[name] = wide.basis
    return name


def _proxy(proxy: Resource, server: Server | None, to: str, found: Limits) -> str:
    """Give the name of a proxy, which lends connections of its pool by the invocation, and note it down."""
    name = proxy.name
    if name in found.servers:
        return name
    groups = referring_to(proxy, "AWS::RDS::DBProxyTargetGroup", "DBProxyName", of=proxy.type)
    percent: float = default_percent(server.engine if server is not None else None)
    borrow: float = DEFAULT_BORROW_SECONDS
    for group in groups[:1]:
        pool = "ConnectionPoolConfigurationInfo"
        percent = _number(group, percent, (1, 100), pool, "MaxConnectionsPercent", found=found)
        borrow = _number(group, borrow, (0, MAXIMUM_BORROW_SECONDS), pool, "ConnectionBorrowTimeout", found=found)
    limit = server_limit(server) if server is not None else None
    if limit is None:
        _add_unknown(name, found)
        found.servers[name] = replace(found.servers[name], borrow_timeout=borrow)
        return name
    size = max(1, int(limit.limit.value * percent // 100))
    found.servers[name] = SimulatedServer(name, size, size, borrow)
    found.because[name] = f"{percent:g} % of the {limit.limit.value:,} of {to}, {limit.limit.basis}"
    return name


def _add_source(source: EventSource, found: Limits) -> None:
    function = source.function
    if function is None:
        return
    if source.is_stream:
        _add_stream(source, function, found)
        return
    if not source.is_queue:
        found.note(f"{source.mapping.name}: an event source before {function.name}, which is not simulated")
        return
    mapping, queue = source.mapping, source.source
    name = _unused(queue.name if queue is not None else mapping.name, found)
    visibility, receives, retention = float(DEFAULT_VISIBILITY_SECONDS), None, math.inf
    if queue is None:
        found.note(f"{name}: its queue is in no template; taken for one with {visibility:g} s and no dead-letter queue")
    else:
        most_seconds = (0, MAXIMUM_VISIBILITY_SECONDS)
        visibility = _number(queue, DEFAULT_VISIBILITY_SECONDS, most_seconds, "VisibilityTimeout", found=found)
        receives = _limit(queue, (1, MAXIMUM_RECEIVES), "RedrivePolicy", "maxReceiveCount", found=found)
        kept = (MINIMUM_RETENTION_SECONDS, MAXIMUM_RETENTION_SECONDS)
        retention = _number(queue, DEFAULT_RETENTION_SECONDS, kept, "MessageRetentionPeriod", found=found)
        if queue.flag("FifoQueue") is True:
            found.note(f"{name}: FIFO, taken for a queue with a message group for each message")
    timeout = found.functions[function.name].timeout
    if visibility < timeout:
        found.note(
            f"{name}: Lambda refuses a visibility timeout below the function's timeout of {timeout:g} s; taken for it"
        )
        visibility = timeout
    batch = int(_number(mapping, DEFAULT_BATCH, (1, MAXIMUM_BATCH), "BatchSize", found=found))
    if mapping.get("ProvisionedPollerConfig") is not ABSENT:
        found.note(f"{mapping.name}: provisioned pollers are taken for ordinary ones")
    range_ = (MINIMUM_CONCURRENCY, MAXIMUM_CONCURRENCY)
    maximum = _limit(mapping, range_, "ScalingConfig", "MaximumConcurrency", found=found)
    reports = "ReportBatchItemFailures" in texts(mapping.get("FunctionResponseTypes"))
    queued = Queue(name, function.name, _NOTHING, batch, maximum, visibility, receives, reports_failures=reports)
    found.entries.append(replace(queued, retention=retention))


def _add_stream(source: EventSource, function: Resource, found: Limits) -> None:
    mapping, stream = source.mapping, source.stream
    name = _unused(stream.name if stream is not None else mapping.name, found)
    shards = stream.limit("ShardCount") if stream is not None else Unknown()
    if isinstance(shards, Absent | Unknown):
        count = NEW_ON_DEMAND_SHARDS if stream is not None and stream.type == "AWS::Kinesis::Stream" else 1
        found.note(f"{name}: how many shards it has is known at deployment only; taken for {count}")
    else:
        count = int(shards)
    factor = int(_number(mapping, 1, (1, MAXIMUM_FACTOR), "ParallelizationFactor", found=found))
    batch = int(_number(mapping, DEFAULT_STREAM_BATCH, (1, MAXIMUM_STREAM_BATCH), "BatchSize", found=found))
    retries = _limit(mapping, (-1, MAXIMUM_RETRIES), "MaximumRetryAttempts", found=found)
    attempts = None if retries is None or retries < 0 else retries + 1
    lanes = count * factor
    found.entries.append(
        Stream.of(name, function.name, _NOTHING, batch_size=batch, lanes=lanes, most_attempts=attempts)
    )


def _add_callers(function: Resource, found: Limits, *, is_called: bool) -> None:
    """Add the APIs, and whatever else calls a function, as entries."""
    apis = [api for api in waiting(function) if api.get("ProtocolType") != "WEBSOCKET"]
    for api in apis:
        name = _unused(api.name, found)
        found.entries.append(Api(name, function.name, _NOTHING, (*_stage(api, found), _ACCOUNT)))
    # What is called in several ways gets the queues and APIs first: they are what carries a burst.
    if is_called or apis or sources_of(function):
        return
    called = asynchronous_sources(function)
    waits = not called
    found.entries.append(Direct(_unused(function.name, found), function.name, _NOTHING, waits))
    by = ", ".join(sorted({source.name for source, _ in called})[:3])
    found.because[function.name] = f"called by {by}" if by else "called by nothing in the templates, or a function URL"


def _stage(api: Resource, found: Limits) -> list[Bucket]:
    """Give the default rate and burst of an API's stage; the account's are there anyway."""
    stages = referring_to(api, "AWS::ApiGateway::Stage", "RestApiId")
    stages += referring_to(api, "AWS::ApiGatewayV2::Stage", "ApiId")
    for stage in stages:
        settings = stage.get("DefaultRouteSettings")
        if stage.type == "AWS::ApiGateway::Stage":
            settings = _of_all_methods(stage, found)
        rate, burst = (
            as_number(settings.get(limit), -1) if isinstance(settings, Block) else -1.0
            for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit")
        )
        if isinstance(rate, Unknown) or isinstance(burst, Unknown):
            found.note(f"{stage.name}: its rate or burst is known at deployment only; taken for none")
        elif rate >= 0 and burst >= 0:
            return [Bucket(stage.name, rate, burst)]
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
            found.note(f"{stage.name}: the limits of single methods and clients are not simulated")
    return of_all


def _unused(name: str, found: Limits) -> str:
    used = {entry.name for entry in found.entries}
    names = [name, *(f"{name} ({number})" for number in range(2, len(used) + 3))]
    return next(each for each in names if each not in used)


def _number(resource: Resource, default: float, within: tuple[float, float], *path: str, found: Limits) -> float:
    """Give a number that AWS takes; the default where it is known at deployment only, or where AWS takes no such."""
    answer = resource.number(*path, default=default)
    if isinstance(answer, Unknown):
        found.note(f"{resource.name}: its {path[-1]} is known at deployment only; taken for {default:g}")
        return default
    if not within[0] <= answer <= within[1]:
        found.note(f"{resource.name}: its {path[-1]} of {answer:g} is none that AWS takes; taken for {default:g}")
        return default
    return float(answer)


def _limit(resource: Resource, within: tuple[float, float], *path: str, found: Limits) -> int | None:
    """Give a limit that AWS takes; None where there is none, or where it is known at deployment only."""
    answer = resource.limit(*path)
    if isinstance(answer, Absent):
        return None
    if isinstance(answer, Unknown) or not within[0] <= answer <= within[1]:
        given = "known at deployment only" if isinstance(answer, Unknown) else f"{answer:g}, which AWS does not take"
        found.note(f"{resource.name}: its {path[-1]} is {given}; taken for none")
        return None
    return int(answer)
