"""Redis and Valkey: redis-py."""
