"""Which parts is a speaker made of, real or simulated? Nobody else chooses."""
