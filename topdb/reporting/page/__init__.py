"""The page: one HTML file that says whether it reproduces, and shows why."""
