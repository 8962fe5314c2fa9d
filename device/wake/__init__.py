"""Was the wake word said, and does somebody speak?

`detector` is the door: its `worker` thread feeds the `networks`; `scores` and `gate` make hits of
what they say.
"""
