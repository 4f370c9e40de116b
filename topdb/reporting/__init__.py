"""From result files to comparisons, tables and guards; no torch, no images."""
