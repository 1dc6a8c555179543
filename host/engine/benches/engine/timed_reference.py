"""Python's mlx_lm, timed in step with the engine's benchmark.

    timed_reference.py MODEL.gguf FOLDER

Writes the GGUF file's model into FOLDER, dequantised, and loads it from there. Then, for each line
of standard input, which is {"prompt": ids, "length": tokens}, continues that prompt greedily and
answers {"first": seconds, "rest": seconds}: the time to the first token, and from it to the last.
"""

import json
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2] / "tests" / "engine"))

import mlx.core as mx
from mlx_lm import load
from mlx_lm.generate import generate_step
from reference import convert

source, folder = map(Path, sys.argv[1:])
convert(source, folder)
model, _ = load(str(folder))
print("ready", flush=True)
for line in sys.stdin:
    task = json.loads(line)
    start = time.perf_counter()
    tokens = generate_step(mx.array(task["prompt"]), model, max_tokens=task["length"])
    next(tokens)
    first = time.perf_counter()
    for _ in tokens:
        pass
    end = time.perf_counter()
    print(json.dumps({"first": first - start, "rest": end - first}), flush=True)
