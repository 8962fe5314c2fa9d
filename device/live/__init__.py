"""How does a talk with the Live API go on, whatever happens to its connections?

`session` is the door. It makes one connection after the other: `setup` and `link` open one,
`connection_loop` and `traffic` work on it, `failures` and `reconnect` decide what follows.
"""
