"""What a request to AWS may end in: refused, unanswered, or never arrived."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

AwsError = (ClientError, BotoCoreError, OSError)
