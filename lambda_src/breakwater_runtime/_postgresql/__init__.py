"""PostgreSQL: psycopg, both halves."""
