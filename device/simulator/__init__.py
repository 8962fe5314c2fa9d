"""What stands in for Google, for a sound card and for a room?

The stand-in server imports nothing of `live`: it is a second, independent reading of the protocol.
The simulated card is no more than a card: the loudspeaker that plays on it is `audio`'s own.
"""
