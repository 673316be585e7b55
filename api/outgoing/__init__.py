"""What other programs are told of a call: webhooks and panels."""
