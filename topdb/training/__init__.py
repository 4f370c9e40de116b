"""From an index and a method to weights and features."""
