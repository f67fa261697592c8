"""What the CDK lacks in Python; nothing here knows of databases."""
