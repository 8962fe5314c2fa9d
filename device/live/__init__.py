"""The Live API: one conversation over many connections."""
