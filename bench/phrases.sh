#!/bin/bash
# Measure phrase matching in a private cluster; prints a markdown table.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/cluster start bench_phrases fsync=off shared_buffers=256MB >/dev/null
trap 'tools/cluster stop bench_phrases' EXIT
tools/cluster psql bench_phrases -q -v ON_ERROR_STOP=1 -f bench/phrases.sql postgres
