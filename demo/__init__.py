"""The real templates on an emulated AWS, with real databases, under more load than these can bear: `python -m demo`."""
