"""What decoupled invocations read from."""
