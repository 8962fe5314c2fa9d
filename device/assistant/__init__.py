"""How do the parts become one speaker? News in, steps of the conversation, effects out."""
