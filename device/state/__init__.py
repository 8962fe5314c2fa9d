"""What outlives the process? Small files, written so that a power cut loses nothing."""
