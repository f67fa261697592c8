"""An API before functions."""
