#!/bin/sh
# Runs a job script as a pod would, in an empty folder of its own, and prints the folder.
set -eu
pod=$(mktemp -d "$PODS/pod.XXXXXX")
cp "$1" "$pod/job.sh"
cd "$pod"
setsid sh -c 'sh ./job.sh >log 2>&1; echo $? >.status && mv .status status' \
    </dev/null >/dev/null 2>&1 &
echo "$pod"
