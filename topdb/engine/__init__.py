"""What decides on the bits of a training: the loop and its parts."""
