"""What can the model do with this speaker?

`registry` is the door: it declares functions, checks what they are called with, and runs them.
"""
