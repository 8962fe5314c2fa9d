"""Which hardware is this, and how is it set, asked and driven?

Boards are data (`profiles`); what a machine shows (`kernel`, `evidence`) tells which it is
(`detection`). The other modules drive its buses, its USB array, its mixer, button and mute switch.
"""
