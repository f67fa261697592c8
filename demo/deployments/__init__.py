"""README's first app at several stages of its life, in an emulated account that reserves concurrency."""
