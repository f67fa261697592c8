"""Database users that deployments make."""
