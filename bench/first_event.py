#!/usr/bin/env python3
"""How long after a request the first event of its stream comes:

    bench/first_event.py PUZZLES [HOST:PORT]

PUZZLES: a file of 6x6 Sudokus, one a line; a server runs: trm serve sudoku6 (127.0.0.1:8080). One
request at a time, 300 of them after 20 to warm up, on one connection; median and quartiles, in ms.
"""
import http.client
import json
import statistics
import sys
import time

WARM, REQUESTS = 20, 300


def first_event(server, puzzle):
    body = json.dumps({"model": "sudoku6", "puzzle": puzzle, "stream": True})
    begun = time.perf_counter()
    server.request("POST", "/v1/solve", body, {"Content-Type": "application/json"})
    reply = server.getresponse()
    while not reply.readline().startswith(b"data:"):
        pass
    passed = time.perf_counter() - begun
    reply.read()
    return 1000 * passed


def main():
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="ascii") as file:
        puzzles = file.read().split()
    server = http.client.HTTPConnection(sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1:8080")
    times = [first_event(server, puzzles[i % len(puzzles)]) for i in range(WARM + REQUESTS)][WARM:]
    low, middle, high = statistics.quantiles(times, n=4)
    print(f"first event after {middle:.2f} ms ({low:.2f} to {high:.2f} are half of {REQUESTS})")


if __name__ == "__main__":
    main()
