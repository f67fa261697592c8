"""Subnets, their addresses, and the way to Secrets Manager."""
