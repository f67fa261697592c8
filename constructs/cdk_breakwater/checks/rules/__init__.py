"""All rules, in the order of the documentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import (
    account_concurrency,
    api_throttling,
    batch_item_failures,
    database_connections,
    database_function_concurrency,
    dead_letter_queue_retention,
    function_url_concurrency,
    mapping_concurrency,
    proxy_borrow_timeout,
    proxy_connections,
    public_database_tls,
    queue_dead_letter_queue,
    queue_visibility_timeout,
    stream_failure_handling,
    stream_readers,
)

if TYPE_CHECKING:
    from ..rule import Rule

RULES: tuple[Rule, ...] = (
    database_function_concurrency.RULE,
    database_connections.RULE,
    proxy_connections.RULE,
    proxy_borrow_timeout.RULE,
    public_database_tls.RULE,
    mapping_concurrency.RULE,
    queue_visibility_timeout.RULE,
    queue_dead_letter_queue.RULE,
    dead_letter_queue_retention.RULE,
    batch_item_failures.RULE,
    stream_failure_handling.RULE,
    stream_readers.RULE,
    api_throttling.RULE,
    function_url_concurrency.RULE,
    account_concurrency.RULE,
)
