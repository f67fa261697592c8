"""The metrics that AWS documents, of those that are used here, with their dimensions and the page that names them."""

from __future__ import annotations

_LAMBDA = 'AWS Lambda Developer Guide, "Types of metrics for Lambda functions"'
_SQS = 'Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS"'
_RDS = (
    'Amazon RDS User Guide, "Amazon CloudWatch metrics for Amazon RDS", "Amazon CloudWatch dimensions for Amazon RDS"'
)
_PROXY = 'Amazon RDS User Guide, "Monitoring RDS Proxy metrics with Amazon CloudWatch"'
_DOCDB = 'Amazon DocumentDB Developer Guide, "Monitoring Amazon DocumentDB with CloudWatch"'
_CACHE = 'Amazon ElastiCache User Guide, "Metrics for Valkey and Redis OSS"'
# The page names no dimension; github.com/cdklabs/cdk-monitoring-constructs/issues/750 shows it as CloudWatch lists it.
_SERVERLESS_CACHE = 'Amazon ElastiCache User Guide, "Serverless metrics and events for Valkey and Redis OSS"'
_REST = 'API Gateway Developer Guide, "Amazon API Gateway dimensions and metrics"'
_HTTP = 'API Gateway Developer Guide, "Monitor CloudWatch metrics for HTTP APIs in API Gateway"'

DOCUMENTED: dict[tuple[str, str, tuple[str, ...]], str] = {
    **{
        ("AWS/Lambda", name, ("FunctionName",)): _LAMBDA
        for name in ("ConcurrentExecutions", "Duration", "Errors", "IteratorAge", "Throttles")
    },
    **{
        ("AWS/Lambda", name, ("EventSourceMappingUUID",)): _LAMBDA
        for name in ("DroppedEventCount", "OnFailureDestinationDeliveredEventCount", "PolledEventCount")
    },
    **{
        ("AWS/SQS", name, ("QueueName",)): _SQS
        for name in (
            "ApproximateAgeOfOldestMessage",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesVisible",
            "NumberOfMessagesDeleted",
        )
    },
    ("AWS/RDS", "DatabaseConnections", ("DBInstanceIdentifier",)): _RDS,
    ("AWS/RDS", "DatabaseConnections", ("DBClusterIdentifier",)): _RDS,
    ("AWS/RDS", "DatabaseConnections", ("DBClusterIdentifier", "Role")): _RDS,
    **{
        ("AWS/RDS", name, ("ProxyName",)): _PROXY
        for name in (
            "ClientConnections",
            "DatabaseConnections",
            "DatabaseConnectionsBorrowLatency",
            "DatabaseConnectionsCurrentlyBorrowed",
            "DatabaseConnectionsCurrentlySessionPinned",
        )
    },
    ("AWS/DocDB", "DatabaseConnectionsMax", ("DBClusterIdentifier",)): _DOCDB,
    ("AWS/ElastiCache", "CurrConnections", ("CacheClusterId",)): _CACHE,
    ("AWS/ElastiCache", "CurrConnections", ("clusterId",)): _SERVERLESS_CACHE,
    **{("AWS/ApiGateway", name, ("ApiName", "Stage")): _REST for name in ("5XXError", "Count", "Latency")},
    **{("AWS/ApiGateway", name, ("ApiId",)): _HTTP for name in ("5xx", "Count", "Latency")},
}
