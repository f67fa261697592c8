"""What a budget leaves in the cloud assembly for `breakwater plan`, which must not load the CDK to read it."""

METADATA = "cdk-breakwater:budget"
"""The type of the construct metadata."""
