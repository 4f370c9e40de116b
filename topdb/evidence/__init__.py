"""What the scores are evidence of: pairs of cells, verdicts on cells and claims, and the answer."""
