"""The hardware around the microphone: profiles, lights, button."""
