"""The version of the runtime, of the constructs, and of both distributions."""

VERSION = "0.1.0"
