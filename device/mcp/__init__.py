"""What do servers elsewhere let the model do, and how are they reached?

`servers` is the door: it keeps the configured MCP servers connected in the background, says what
they offer now, and calls it. Each of them is lived with by `server`; `client` connects to it, over
`http` or `stdio`. What is pure is apart: `schemas` and `tools` make functions for the model of what
a server lists, `results` makes an answer of what it returns, `failures` words of what went wrong,
and `patience` says when it is tried again.

The package `mcp` is imported by `client`, `http` and `stdio` alone, which nobody imports before a
server is to be connected to: it takes half a second and 30 MB.
"""
