"""Hit rates and speeds of libcachesim over a trace of the format oracleGeneral, as JSON lines."""

import json
import sys
import time

import libcachesim as lcs

NAMES = {
    "belady": lcs.Belady,
    "fifo": lcs.FIFO,
    "gdsf": lcs.GDSF,
    "lru": lcs.LRU,
    "s3-fifo": lcs.S3FIFO,
    "sieve": lcs.Sieve,
    "w-tinylfu": lcs.WTinyLFU,
}

trace, requests, sizes = sys.argv[1], int(sys.argv[2]), map(int, sys.argv[3].split(","))
sizes = list(sizes)
for name, policy in NAMES.items():
    for size in sizes:
        reader = lcs.TraceReader(trace, lcs.TraceType.ORACLE_GENERAL_TRACE)
        cache = policy(size)
        start = time.perf_counter()
        missed, _ = cache.process_trace(reader)
        seconds = time.perf_counter() - start
        print(json.dumps({"policy": name, "hit_rate": 1 - missed, "per_second": requests / seconds}))
