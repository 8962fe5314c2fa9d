"""What do systemd and the journal see of the speaker? Health, story and latency."""
