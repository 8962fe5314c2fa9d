"""Sound in and out: frames, pre-roll, resampling, chimes, sentences, capture, playback."""
