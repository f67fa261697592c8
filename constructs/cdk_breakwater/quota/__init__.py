"""Calls within a third party's quota."""
