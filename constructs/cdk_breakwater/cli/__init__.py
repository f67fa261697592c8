"""The command `breakwater`."""

from .main import main as main
