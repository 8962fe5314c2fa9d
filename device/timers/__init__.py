"""What rings, and when? Timers, alarms, reminders, without a network."""
