"""What the figures share: their evidence, their look, and how they are laid out."""
