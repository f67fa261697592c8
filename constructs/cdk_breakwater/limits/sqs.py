"""What Amazon SQS sets and allows, and what Lambda asks of a queue that it reads."""

from __future__ import annotations

DEFAULT_VISIBILITY_SECONDS = 30
"""Source: AWS CloudFormation, AWS::SQS::Queue, VisibilityTimeout."""
MAXIMUM_VISIBILITY_SECONDS = 43_200
"""12 hours. Source: as above."""
DEFAULT_RETENTION_SECONDS = 345_600
"""Four days. Source: AWS CloudFormation, AWS::SQS::Queue, MessageRetentionPeriod."""
MINIMUM_RETENTION_SECONDS, MAXIMUM_RETENTION_SECONDS = 60, 1_209_600
"""A minute, and 14 days. Source: Amazon SQS Developer Guide, "Amazon SQS message quotas"."""
MAXIMUM_RECEIVES = 1_000
"""Of a message before its dead-letter queue. Source: Amazon SQS API Reference, SetQueueAttributes."""

MINIMUM_RECEIVES = 5
"""A throttled invocation counts as a receive.

Source: AWS Lambda Developer Guide, "Creating and configuring an Amazon SQS event source mapping".
"""
DEFAULT_BATCH = 10
"""Records of a batch. Source: AWS CloudFormation, AWS::Lambda::EventSourceMapping, BatchSize."""
MAXIMUM_BATCH = 10_000
"""Source of this and the next three: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS"."""
MAXIMUM_BATCH_WITHOUT_WINDOW = 10
"""Of a FIFO queue, too, which has no window."""
MAXIMUM_WINDOW_SECONDS = 300
UNLIMITED_CONCURRENCY = 1_250
"""Concurrent batches of a mapping without MaximumConcurrency."""
MINIMUM_CONCURRENCY, MAXIMUM_CONCURRENCY = 2, 1_000
"""Of MaximumConcurrency. Source: AWS Lambda API Reference, ScalingConfig."""
