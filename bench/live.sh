#!/bin/bash
# Measure probes with the open day in a private cluster; prints a markdown table.
#
#   bench/live.sh
set -euo pipefail
cd "$(dirname "$0")/.."
tools/cluster start bench_live fsync=off shared_buffers=1GB max_wal_size=8GB checkpoint_timeout=1h >/dev/null
trap 'tools/cluster stop bench_live' EXIT
tools/cluster psql bench_live -q -A -t -v ON_ERROR_STOP=1 -f bench/live.sql postgres
