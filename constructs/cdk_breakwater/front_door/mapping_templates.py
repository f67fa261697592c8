"""The mapping templates of a front door: what API Gateway sends to a source for a request, and answers the caller.

Velocity, as API Gateway has it, on one line: a line break within a template would become part of what is sent. A value
is always encoded where it is written, so no body and no header can change the request around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

JOB = "breakwater-job"
"""The message attribute, or attribute of an item, that names the job; `breakwater_runtime` reads it."""
_LONGEST_KEY = 255
_KEY = "Idempotency-Key"
# HTTP/2 has headers in lower case alone.
_KEY_OF_REQUEST = (
    f'#set($key = "$!input.params(\'{_KEY}\')")#if($key == "")#set($key = "$!input.params(\'{_KEY.lower()}\')")#end'
)
# Characters. Sources: Amazon SQS API Reference, SendMessage, MessageGroupId; Amazon Kinesis API Reference, PutRecord,
# PartitionKey.
_LONGEST_GROUP = 128
_LONGEST_PARTITION_KEY = 256
# Parts of AWS's error codes.
_BUSY = ("Throttl", "Exceeded")
_UNFIT = ("InvalidMessageContents", "InvalidParameterValue")


class Caller(Enum):
    """Who asks, by the kind of authorization: in a template, and in the function that hands out results."""

    # A role's sessions are one caller: the part behind the colon is the session's name.
    IAM = (
        '#set($caller = "$!context.identity.caller")#set($caller = $caller.replaceAll(":.*", ""))'
        '#set($caller = "$!context.identity.cognitoIdentityId $caller")'
    )
    USER_POOL = '#set($caller = "$!context.authorizer.claims.sub")'
    AUTHORIZER = '#set($caller = "$!context.authorizer.principalId")'
    API_KEY = '#set($caller = "$!context.identity.apiKeyId")'


@dataclass(frozen=True)
class FrontDoorTemplates:
    """What a method needs for one source.

    Attributes
    ----------
    request
        From the HTTP request to the source's API.
    accepted
        The answer when the source has the job.
    refused
        The answer when the source refused it.
    content_type
        Of what `request` makes.
    """

    request: str
    accepted: str
    refused: str
    content_type: str


def job_name(tag: str, caller: Caller) -> str:
    """Write the template's part that sets `$job`, `$key` and `$who`.

    A job's name holds who asked and, of that caller, which key or which request, so that it is the same for a repeated
    key and belongs to nobody else. `$context.requestId` is a random UUID, but a client may set it; the extended one is
    API Gateway's own (API Gateway Developer Guide, "Variables for data transformations for API Gateway").

    Parameters
    ----------
    tag
        The door's mark, which tells its jobs from anything else.
    caller
        The kind of caller.
    """
    return (
        f"{_KEY_OF_REQUEST}"
        '#set($name = "request $context.requestId $context.extendedRequestId")'
        '#if($key != "")#set($name = "key $key")#end'
        f"{caller.value}"
        "#set($who = $util.base64Encode($caller))#set($what = $util.base64Encode($name))"
        f'#set($job = "{tag}.${{who}}.${{what}}")'
        '#set($job = $job.replaceAll("[+]", "-").replaceAll("/", "_").replaceAll("=", ""))'
    )


def sqs_templates(job: str, *, fifo: bool, order_by: str | None, longest: int, retry_after: int) -> FrontDoorTemplates:
    """Write the templates for a queue: one `SendMessage`, whose body is the request's.

    Parameters
    ----------
    job
        See `job_name`.
    fifo
        Whether it is a FIFO queue.
    order_by
        JSON path within the body: equal values are one message group. Default: each caller is a group.
    longest
        Bytes of the body.
    retry_after
        Seconds until the caller may ask what became of it.
    """
    fields = [
        "Action=SendMessage",
        "MessageBody=$util.urlEncode($input.body)",
        f"MessageAttribute.1.Name={JOB}",
        "MessageAttribute.1.Value.DataType=String",
        "MessageAttribute.1.Value.StringValue=$util.urlEncode($job)",
    ]
    if fifo:
        fields += [
            # Twice encoded: the queue takes letters, digits and punctuation (Amazon SQS API Reference, SendMessage).
            "MessageGroupId=$util.urlEncode($group)",
            "MessageDeduplicationId=$util.urlEncode($context.extendedRequestId)",
        ]
    return FrontDoorTemplates(
        # InvalidAction: nothing else is said to a queue that is answered so.
        request=_unless_too_large(
            longest, job + (_group(order_by, _LONGEST_GROUP) if fifo else "") + "&".join(fields), "Action=Refused"
        ),
        accepted=_accepted(job, retry_after),
        refused=_refused(("InvalidAction", "shorter than")),
        content_type="application/x-www-form-urlencoded",
    )


def kinesis_templates(
    job: str, stream: str, *, order_by: str | None, longest: int, retry_after: int
) -> FrontDoorTemplates:
    """Write the templates for a stream: one `PutRecord` of "breakwater-job", the job and the body, spaces between."""
    # By default the end of the job's name: that of its key or request, so that a repeated job is in the same shard.
    group = _group(order_by, _LONGEST_PARTITION_KEY) if order_by else f'#set($group = "$job"){_end("group", 256)}'
    return FrontDoorTemplates(
        request=_unless_too_large(
            longest,
            f'{job}{group}#set($data = "{JOB} $job $input.body")'
            f'{{"StreamName": "{stream}", "PartitionKey": "$group", "Data": "$util.base64Encode($data)"}}',
            _NO_JSON,
        ),
        accepted=_accepted(job, retry_after),
        refused=_refused(_TOO_LARGE),
        content_type="application/x-amz-json-1.1",
    )


def dynamodb_templates(
    job: str, table: str, *, partition_key: str, longest: int, retry_after: int
) -> FrontDoorTemplates:
    """Write the templates for a table: one `PutItem` on the condition that the job isn't there."""
    return FrontDoorTemplates(
        request=_unless_too_large(
            longest,
            f'{job}{{"TableName": "{table}", "Item": {{"{partition_key}": {{"S": "$job"}}, "{JOB}": {{"S": "$job"}}, '
            '"posted": {"N": "$context.requestTimeEpoch"}, "body": {"B": "$util.base64Encode($input.body)"}}, '
            '"ConditionExpression": "attribute_not_exists(#pk)", '
            f'"ExpressionAttributeNames": {{"#pk": "{partition_key}"}}}}',
            _NO_JSON,
        ),
        accepted=_accepted(job, retry_after),
        refused=(
            "#set($error = $input.json('$'))#if($error.contains(\"ConditionalCheckFailed\"))"
            f"#set($context.responseOverride.status = 202){_accepted(job, retry_after)}#else"
            f"{_refused(_TOO_LARGE)}#end"
        ),
        content_type="application/x-amz-json-1.0",
    )


def _group(order_by: str | None, longest: int) -> str:
    """Set `$group`: the encoded value of what keeps order, the caller by default, never empty, the end of a long one.

    Equal values have equal groups, which is what order needs; two long ones of one end may have the same.
    """
    value = f"$!input.path('{order_by}')" if order_by else "$caller"
    return (
        f'#set($group = "{value}")#set($group = $util.urlEncode($group))#set($group = "g$group")'
        f"{_end('group', longest)}"
    )


def _end(name: str, longest: int) -> str:
    """Leave the last characters of a variable."""
    return (
        f"#if(${name}.length() > {longest})#set($start = ${name}.length() - {longest})"
        f"#set(${name} = ${name}.substring($start))#{{end}}"
    )


# A template cannot refuse a request by itself. It can send one that is no JSON, which AWS refuses before it looks at
# any parameter.
_NO_JSON = "too large"
_TOO_LARGE = ("SerializationException", "ValidationException")


def _unless_too_large(longest: int, request: str, refused: str) -> str:
    """Write a request, or one that the source refuses, where the body or the key is too large."""
    # Four characters of base64 are three bytes; `length()` of the text itself would count characters.
    return (
        f"{_KEY_OF_REQUEST}#set($size = $util.base64Encode($input.body))"
        f"#if($size.length() > {4 * -(-longest // 3)} || $key.length() > {_LONGEST_KEY}){refused}#{{else}}{request}#end"
    )


def _accepted(job: str, retry_after: int) -> str:
    return (
        f'{job}#set($location = "$context.path/$job")#set($context.responseOverride.header.Location = $location)'
        f'#set($context.responseOverride.header.Retry-After = "{retry_after}")'
        '{"id": "$job", "location": "$location"}'
    )


def _refused(too_large: tuple[str, ...]) -> str:
    """Tell the caller's faults from the door's: AWS answers 400 to either."""
    return (
        "#set($error = $input.json('$'))"
        f"#if({_any(too_large)})#set($context.responseOverride.status = 413)"
        f'#set($message = "The body is too large, or {_KEY} is longer than {_LONGEST_KEY} characters.")'
        f"#elseif({_any(_BUSY)})#set($context.responseOverride.status = 503)"
        '#set($context.responseOverride.header.Retry-After = "1")#set($message = "Too busy, try again.")'
        f"#elseif({_any(_UNFIT)})"
        '#set($message = "The body holds what a queue does not take: a control character, or a long order key.")'
        '#else#set($context.responseOverride.status = 500)#set($message = "Internal server error")#end'
        '{"message": "$message"}'
    )


def _any(codes: tuple[str, ...]) -> str:
    return " || ".join(f'$error.contains("{code}")' for code in codes)
