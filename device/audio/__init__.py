"""How does sound get in and out? Cards, the microphone, the loudspeaker, chimes."""
