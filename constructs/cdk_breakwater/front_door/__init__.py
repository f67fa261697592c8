"""The HTTP endpoint of a buffer."""
