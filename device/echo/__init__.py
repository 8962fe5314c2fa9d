"""What of the sound in the microphone is our own voice, and who talks over it?

`canceller` joins the parts: `alignment` finds what was played in what is heard, `speex` takes it
out, `near_end` tells a person from what is left. `duplex` decides whether that is good enough to
listen while speaking, `barge_in` whether somebody means to interrupt.
"""
