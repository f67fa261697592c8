"""What AWS's services do with work, by their documentation, in virtual time and without the CDK."""
