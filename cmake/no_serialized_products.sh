#!/bin/sh
# Runs a compile command, and fails also when ptxas makes the products of warp groups wait for each
# other: it says so in passing, and such a kernel is right, but slow.
said=$("$@" 2>&1)
status=$?
[ -z "$said" ] || printf '%s\n' "$said" >&2
case $said in
  *"instructions are serialized"*)
    echo "error: products are serialized (src/backend/cuda/hopper/hopper.cuh: pin, copied)" >&2
    exit 1 ;;
esac
exit $status
