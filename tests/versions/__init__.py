"""The library under the oldest and the newest releases that it allows, on every Python: `python -m tests.versions`."""
