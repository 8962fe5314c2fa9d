"""What do the LEDs show, and how does it get onto them?

`choice` says which pattern, `patterns` what it is, `render` the colour of each LED at a moment,
`brightness` how bright; `animation` draws it with one of the drivers.
"""
