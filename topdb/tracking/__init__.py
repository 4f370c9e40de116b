"""MLflow: the story of each training run. Nothing else knows it, and no training does.

A run's own files are the truth; MLflow is told what they say, and its absence costs seconds and
nothing else.
"""
