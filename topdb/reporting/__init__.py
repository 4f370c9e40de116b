"""Comparisons as people read them: tables, figures, the page, and everything again from files."""
