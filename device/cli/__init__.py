"""What does a command do? One module per command or family."""
