"""Data sets: from folders in a published layout to an index and a cache of decoded pixels."""
