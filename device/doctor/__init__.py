"""Is everything there that a speaker needs, in figures, and what mends it?

Each check is a small function from the `scene` to its `result`s; `checklist` has them in order.
"""
