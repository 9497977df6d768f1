#!/bin/bash
# What a decision adds to a stored message, on one server and on shards of Citus
# (docs/scale.md tells how to get it): microseconds of CPU a message over all
# processes of all servers, of COPY with and without the trigger.
#
#   bench/citus.sh [MESSAGES (40000) [BATCH (8000) [SHARDS (4) [ROUNDS (5)]]]]
#
# Private servers: a coordinator, which has the plain database beside, and two
# workers.  Prints a markdown table; the ratio is of medians of pairs in one run.
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
n=${1:-40000} batch=${2:-8000} shards=${3:-4} rounds=${4:-5}
for number in "$n" "$batch" "$shards" "$rounds"; do
	[[ $number =~ ^[1-9][0-9]{0,6}$ ]] || fail "\"$number\" is no number of anything"
done
[ -f "$("$PG_CONFIG" --sharedir)/extension/citus.control" ] || fail 'Citus is not installed'
cd "$top"
servers='bench_citus bench_citus_1 bench_citus_2'
trap 'for s in $servers; do tools/cluster stop "$s"; done' EXIT
folder() { ( eval "$(tools/cluster env "$1")"; echo "$PGHOST" ); }
for s in $servers; do
	tools/cluster drop "$s"
	tools/cluster start "$s" shared_preload_libraries=citus,pg_assay wal_level=logical max_prepared_transactions=50 \
		max_wal_size=4GB checkpoint_timeout=1h autovacuum=off citus.enable_statistics_collection=off \
		citus.local_hostname="$(folder "$s")" citus.shard_count="$shards"
done
on() { # SERVER DATABASE PSQL-ARGUMENT ...
	( eval "$(tools/cluster env "$1")"; PGOPTIONS='-c client_min_messages=warning -c jit=off' psql -XqAt -v ON_ERROR_STOP=1 -d "$2" "${@:3}" )
}
for s in $servers; do
	on "$s" postgres -c 'CREATE DATABASE spread'
	on "$s" spread -c 'CREATE EXTENSION citus'
done
on bench_citus spread -c "SELECT citus_set_coordinator_host('$(folder bench_citus)', 5432)" \
	-c "SELECT citus_add_node('$(folder bench_citus_1)', 5432), citus_add_node('$(folder bench_citus_2)', 5432)" >/dev/null
on bench_citus postgres -c 'CREATE DATABASE plain'
for d in plain spread; do
	on bench_citus $d >/dev/null 2>&1 <<'SQL'
CREATE EXTENSION pg_assay;
CREATE TABLE message (tenant_id int NOT NULL, id bigint NOT NULL, received_at timestamptz NOT NULL DEFAULT now(),
	from_addr text, reply_to text, subject text, body text, PRIMARY KEY (tenant_id, id));
CREATE TABLE tenant (tenant_id int PRIMARY KEY, strict boolean NOT NULL);
INSERT INTO tenant SELECT g, g % 2 = 0 FROM generate_series(1, 100) g;
CREATE TABLE brand (name text PRIMARY KEY, home text NOT NULL);
INSERT INTO brand SELECT 'brand ' || g, 'b' || g || '.example' FROM generate_series(1, 20) g;
CREATE VIEW signals AS
	SELECT m.tenant_id, m.id, m.received_at, m.subject, m.body ILIKE '%wire transfer%' AS asks_for_wire, coalesce(t.strict, false) AS strict, b.home AS brand_home,
		assay.domain_of(m.from_addr) AS sender_domain, assay.domain_of(m.reply_to) <> assay.domain_of(m.from_addr) AS reply_elsewhere
	FROM message m LEFT JOIN tenant t USING (tenant_id) LEFT JOIN brand b ON b.name = m.subject;
SELECT assay.create_policy('p', 'signals', '{tenant_id,id}');
SELECT assay.create_detector('p', 'wire', 'asks_for_wire', weight => 2.5, mode => 'live'), assay.create_detector('p', 'reply', 'asks_for_wire AND reply_elsewhere', weight => 4, mode => 'live'),
	assay.create_detector('p', 'brand', 'strict AND brand_home <> sender_domain', weight => 3, mode => 'live');
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('p');
SQL
done
on bench_citus spread -c "CALL assay.distribute('p', 'tenant_id', beside => '{tenant}', copied => '{brand}')"

# CPU of all processes of all servers, in ticks; of those that are gone, their parent has it
ticks() {
	local s main
	for s in $servers; do
		main=$(head -n 1 "$(folder "$s")/data/postmaster.pid")
		sed 's/.*) //' "/proc/$main/stat" | awk '{ print $12 + $13 + $14 + $15 }'
		for p in $(pgrep -P "$main"); do sed 's/.*) //' "/proc/$p/stat" 2>/dev/null | awk '{ print $12 + $13 }'; done
	done | awk '{ sum += $1 } END { print sum }'
}
rows=$build/bench_citus.rows
psql_copy() { # DATABASE FIRST-ID: one session, a COPY for each batch
	local i
	{
		for ((i = 0; i < n; i += batch)); do
			echo 'COPY message (tenant_id, id, from_addr, reply_to, subject, body) FROM STDIN;'
			awk -v from="$(($2 + i))" -v batch="$batch" 'BEGIN { OFS = "\t"; for (c = 0; c < 28; c++) text = text "The quick brown fox jumps over the lazy dog, and again. ";
				for (g = from; g < from + batch; g++) print g % 100 + 1, g, "a@x" g % 50 ".example", (g % 5 ? "a@x" g % 50 : "other") ".example", "brand " g % 40, text (g % 9 ? "" : "a wire transfer") }'
			echo '\.'
		done
	} >"$rows"
	on bench_citus "$1" -f "$rows"
}
id=1
measure() { # DATABASE ENABLE|DISABLE: sets took, microseconds of CPU a message
	local before
	on bench_citus "$1" -c 'SET citus.enable_unsafe_triggers = on' -c "ALTER TABLE message $2 TRIGGER decide" 2>/dev/null
	before=$(ticks)
	psql_copy "$1" $id
	id=$((id + n))
	took=$(calc %.2f "($(ticks) - $before) * 1000000 / $(getconf CLK_TCK) / $n")
}
of() { printf '%s\n' "$@" | median; }
for d in plain spread; do measure $d ENABLE; done
plain_off=() plain_on=() plain_added=() spread_off=() spread_on=() spread_added=()
for ((r = 0; r < rounds; r++)); do
	for d in plain spread; do
		declare -n offs=${d}_off ons=${d}_on added=${d}_added
		measure $d DISABLE
		offs+=("$took")
		measure $d ENABLE
		ons+=("$took") added+=("$(calc %.2f "$took - ${offs[-1]}")")
	done
done
for d in plain spread; do
	[ "$(on bench_citus $d -c 'SELECT count(*) FROM p_decision WHERE NOT degraded')" = $(((rounds + 1) * n)) ] ||
		fail "not each message that came to $d with the trigger has its decision"
done
local=$(of "${plain_added[@]}") far=$(of "${spread_added[@]}")
cat <<OUT
| | stored | stored and decided | a decision adds |
| --- | --- | --- | --- |
| one server | $(of "${plain_off[@]}") µs | $(of "${plain_on[@]}") µs | $local µs |
| Citus, two workers, $shards shards | $(of "${spread_off[@]}") µs | $(of "${spread_on[@]}") µs | $far µs |

CPU of all server processes a message of 1.6 kB, COPY of $batch; medians of $rounds rounds of $n. Ratio of what a decision adds: $(calc %.2f "$far / $local")
OUT
