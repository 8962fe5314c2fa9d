"""Wake word and speech detection: networks, gate, detector."""
