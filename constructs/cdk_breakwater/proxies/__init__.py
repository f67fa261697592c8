"""RDS Proxies before databases."""
