"""How many connections a server allows, and how they are divided. No CDK in here."""
