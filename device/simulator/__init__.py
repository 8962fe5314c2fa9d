"""Stand-ins for the world outside: a Live server, a microphone, a loudspeaker."""
