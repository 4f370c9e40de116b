"""topdb: does Top DropBlock reproduce? A benchmark harness that answers with evidence."""

__version__ = "0.1.0"
