"""Who lends the key for how long? Minting and serving ephemeral tokens."""
