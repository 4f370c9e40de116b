"""The files of a results folder: where they lie, and what stands in them."""
