#!/bin/bash
# Measure baselines in a private cluster; prints markdown tables.
#
#   bench/baseline.sh [FOLDER]     FOLDER: real mail as *.jsonl.gz, one message a line
#                                  (from_addr, date, received_at); else made up
#   SIZES="100000 1000000"         messages to probe among
#   YEAR=1000000                   messages of the year that is refreshed
set -euo pipefail
cd "$(dirname "$0")/.."
folder=${1:-}
tools/cluster start bench_baseline fsync=off shared_buffers=2GB max_wal_size=16GB checkpoint_timeout=1h >/dev/null
trap 'tools/cluster stop bench_baseline' EXIT
sql() { tools/cluster psql bench_baseline -q -A -t -v ON_ERROR_STOP=1 "$@" postgres; }

sql <<'SQL'
SET client_min_messages = warning;
DROP SCHEMA IF EXISTS bench CASCADE;
DROP EXTENSION IF EXISTS pg_assay CASCADE;
CREATE EXTENSION pg_assay;
CREATE SCHEMA bench;
CREATE TABLE bench.line (l jsonb);
SQL
if [ -n "$folder" ] && ls "$folder"/*.jsonl.gz >/dev/null 2>&1; then
	for f in "$folder"/*.jsonl.gz; do
		# quote and delimiter that JSON text can't hold
		gzip -dc "$f" | sql -c "COPY bench.line FROM STDIN (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
	done
	echo "Senders and times of real mail, multiplied with distinct keys."
else
	[ -z "$folder" ] || echo "$folder has no *.jsonl.gz" >&2
	echo "Made-up senders and times."
fi
echo
sql -v sizes="${SIZES:-100000 1000000}" -v year="${YEAR:-1000000}" -f bench/baseline.sql
