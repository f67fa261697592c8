"""docs/costs.md: what each construct adds to the bill. `python -m website.costs` writes its tables anew."""
