"""What functions connect to."""
