"""Bursts against real servers, with environments as processes that are stopped between their invocations."""
