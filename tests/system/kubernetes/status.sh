#!/bin/sh
# Says what became of the pod in a folder.
if [ ! -f "$1/status" ]; then
    echo running
elif [ "$(cat "$1/status")" = 0 ]; then
    echo success
else
    echo failed
fi
