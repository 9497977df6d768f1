#!/bin/bash
# Measure lists and phrase sets in a private cluster; prints markdown tables.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/cluster start bench_lists fsync=off shared_buffers=512MB max_wal_size=4GB >/dev/null
trap 'tools/cluster stop bench_lists' EXIT
tools/cluster psql bench_lists -q -v ON_ERROR_STOP=1 -v n="${1:-1000000}" -f bench/lists.sql postgres
echo
program=$(mktemp)
cc -O2 -Iinclude -o "$program" bench/match_cost.c src/text/match.c src/text/match_scan.c src/text/match_words.c src/text/normalise.c src/text/unicode.c \
	$(pkg-config --cflags --libs libhs icu-uc)
"$program"
rm -f "$program"
