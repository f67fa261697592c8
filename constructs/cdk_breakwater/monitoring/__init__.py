"""What alarms and widgets have in common."""
