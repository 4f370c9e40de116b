"""What a run says of the data set that it saw, read off its index."""

from collections import Counter
from typing import Any

from topdb.datasets.index import Index
from topdb.datasets.leaks import duplicates, find_leaks


def account(index: Index) -> dict[str, Any]:
    """Return, as plain data, what a reader of results has to know about a data set.

    protocol, release, content: as in the index; None where an index of format 2 does not tell
    counts: by split, its images, people and cameras
    conversions: number of images by kind (`topdb.datasets.conversions`); None as above
    copies: by split, how many images are copies of another one there
    leaks: a sentence each
    """
    done = index.conversions
    counts = None if done is None else Counter(each for image in done for each in image)
    return {
        "layout": index.layout,
        "protocol": index.protocol,
        "counts": {split: vars(each) for split, each in index.split_counts.items()},
        "release": index.release,
        "content": index.content,
        "conversions": None if counts is None else dict(sorted(counts.items())),
        "copies": {split: number for split, number in duplicates(index).items() if number},
        "leaks": [leak.sentence for leak in find_leaks(index)],
    }
