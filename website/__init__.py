"""The docs site: `docs/`, the README and the API, as HTML that needs no network."""
