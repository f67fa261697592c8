"""Who may hold how many connections."""
