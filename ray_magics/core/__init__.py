"""What every verb shares; it knows no verb."""
