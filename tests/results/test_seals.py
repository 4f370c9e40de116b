FLIPS = 300
"""Of one byte each, in each kind of file."""
