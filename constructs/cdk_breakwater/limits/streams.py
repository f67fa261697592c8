"""What Kinesis and DynamoDB Streams set and allow, and what AWS Lambda asks of a mapping that reads them."""

from __future__ import annotations

SHARED_READERS = 2
"""Readers of a shard, with the throughput that all of them share.

Two may read a shard of a DynamoDB stream at once (Amazon DynamoDB Developer Guide, "Quotas"). A shard of Kinesis takes
in 1 MB/s and gives out 2 MB/s to all its shared readers together (Amazon Kinesis Data Streams Developer Guide, "Quotas
and limits"), so that a third one cannot keep pace with a shard in full use.
"""
SHARED_READERS_OF_A_REPLICATED_TABLE = 1
"""The replication reads, too. Source: Amazon DynamoDB Developer Guide, "Quotas"."""
KINESIS_RETENTION_HOURS = 24
"""By default, and at least. Source: Amazon Kinesis Data Streams Developer Guide, "Change the data retention period"."""
DYNAMODB_RETENTION_HOURS = 24
"""Always. Source: Amazon DynamoDB Developer Guide, "Change data capture for DynamoDB Streams"."""

DEFAULT_BATCH = 100
"""Source: AWS CloudFormation, AWS::Lambda::EventSourceMapping, BatchSize."""
MAXIMUM_BATCH = 10_000
"""Source of this and the rest: AWS Lambda API Reference, CreateEventSourceMapping."""
MAXIMUM_RETRIES = 10_000
MAXIMUM_WINDOW_SECONDS = 300
MAXIMUM_TUMBLING_WINDOW_SECONDS = 900
RECORD_AGE_SECONDS = range(60, 7 * 24 * 3600 + 1)
MAXIMUM_FACTOR = 10
NEW_ON_DEMAND_SHARDS = 4
"""Of a stream in on-demand mode. Source: Amazon Kinesis Data Streams Developer Guide, "Choose the right mode"."""
