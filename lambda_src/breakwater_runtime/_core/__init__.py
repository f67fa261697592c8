"""What is known of every SQL connection, whatever the driver: life, liveness, how full the server is."""
