"""Functions that use a database."""
