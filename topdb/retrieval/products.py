"""What the dot products of features are computed by, on whatever device."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# dot products of rows [first, last) of the queries with the whole gallery, into the given block
Products = Callable[[int, int, NDArray[np.float32]], None]
