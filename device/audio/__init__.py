"""Sound in and out: frames, pre-roll, resampling, chimes, capture, playback."""
