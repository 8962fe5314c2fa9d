"""What follows from what happens? One pure function, its states and its effects."""
