"""What can be asked of a running speaker, and over which socket?

`socket` carries JSON lines, `commands` says what each command does, `meter` shows live what the
microphone hears.
"""
