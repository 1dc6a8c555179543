"""Reads /metrics of a server with Prometheus' own parser; prints types and samples as JSON."""

import json
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

with urllib.request.urlopen(f"{sys.argv[1]}/metrics") as reply:
    assert reply.headers["content-type"].startswith("application/openmetrics-text"), reply.headers
    text = reply.read().decode()

families = list(text_string_to_metric_families(text))
names = [family.name for family in families]
assert len(names) == len(set(names)), "a family stands in one place"
assert all(family.type != "unknown" for family in families), families


def key(sample):
    labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
    return f"{sample.name}{{{labels}}}"


print(
    json.dumps(
        {
            "types": {family.name: family.type for family in families},
            "samples": {key(sample): sample.value for family in families for sample in family.samples},
        }
    )
)
