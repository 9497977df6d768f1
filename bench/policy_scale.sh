#!/bin/bash
# Does a policy's cost stay flat? Prints markdown tables.
#
#   bench/policy_scale.sh memory [COPIED] [SINGLE]   memory of one backend that decides so many
#                                       messages by COPY (1000000) and one by one (100000)
#   bench/policy_scale.sh stored [N ...]  cost of a message at so many stored ones (100000 1000000), by
#                                       COPY and by INSERTs of one; 10000000 takes some 20 GB and ten minutes
#   bench/policy_scale.sh instructions [N]  instructions of an INSERT of one at so many stored messages
#                                       (100000), with decisions and without, whatever else the machine
#                                       does: counted by callgrind (package valgrind), in some minutes
#   bench/policy_scale.sh conditions [N ...]  cost of a condition (50 100 200 400 800)
#
# The policy is that of bench/policy.sql (300 conditions, a GBDT, 500 phrases,
# three baselines). The messages that are measured have bodies of BYTES (2000; 500 or more); those
# of the history that is only stored have bodies of STORED_BYTES (40).
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
what=${1:-conditions}
shift || true
cd "$top"
rounds=${ROUNDS:-3}

tools/cluster start scale shared_preload_libraries=pg_assay shared_buffers=${SHARED_BUFFERS:-1GB} huge_pages=${HUGE_PAGES:-try} max_wal_size=8GB \
	max_parallel_maintenance_workers=1 maintenance_work_mem=512MB
trap 'tools/cluster stop scale' EXIT
eval "$(tools/cluster env scale)"
export PGDATABASE=bench_scale PGOPTIONS='-c client_min_messages=warning -c max_parallel_workers_per_gather=0 -c jit=off'
fresh() { # stored messages
	PGDATABASE=postgres psql -Xqc 'DROP DATABASE IF EXISTS bench_scale' -c 'CREATE DATABASE bench_scale'
	psql -Xq -v n="$1" -v bytes="${BYTES:-2000}" -f bench/policy.sql >/dev/null
}
columns='received_at, from_addr, from_domain, recipient, reply_to, subject, body_text, urls, attachments, auth, size'
trigger='CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('"'bench'"')'

memory() {
	local copied=${1:-1000000} single=${2:-100000} batch=10000 steps=10
	local script=$build/scale.sql file=$build/scale.copy
	fresh "$batch"
	psql -Xqc 'CREATE SEQUENCE bench_id START 1000000000 CACHE 100' \
		-c "ALTER TABLE message ALTER id SET DEFAULT nextval('bench_id')" -c 'CREATE UNIQUE INDEX ON arriving (id)' \
		-c "ANALYZE arriving" -c "$trigger"
	psql -Xqc "COPY (SELECT $columns FROM arriving) TO STDOUT (FORMAT binary)" >"$file"
	chmod a+r "$file"
	# what the session itself says of its memory, and what the kernel says
	look() {
		echo "SELECT count(*) AS done FROM bench_decision \\gset"
		echo "SELECT (sum(total_bytes) / 1024)::bigint AS kb FROM pg_backend_memory_contexts \\gset"
		echo "\\echo | $1 | :done | :kb | "
		echo "\\setenv SERVER :server"
		printf '%s\n' "\\! awk '{ print (\$2 - \$3) * 4 }' /proc/\$SERVER/statm"
	}
	{
		echo 'SELECT pg_backend_pid() AS server \gset'
		echo 'SET synchronous_commit = off;'
		for ((i = 1; i <= copied / batch; i++)); do
			echo "COPY message ($columns) FROM '$file' (FORMAT binary);"
			if ((i * steps % (copied / batch) < steps)); then look COPY; fi
		done
		for ((s = 1; s <= steps; s++)); do
			echo "SELECT 'INSERT INTO message ($columns) SELECT $columns FROM arriving WHERE id = ' || 1 + i % $batch FROM generate_series(1, $single / $steps) i \\gexec"
			look INSERT
		done
	} >"$script"
	psql -XqAt -v ON_ERROR_STOP=1 -f "$script" | paste - - | tr -d '\t' >"$build/scale.out"
	printf '| by | decided | memory contexts, kB | private memory, kB |\n| --- | --- | --- | --- |\n'
	sed 's/$/ |/' "$build/scale.out"
	awk -F'|' '{ by = $2; gsub(" ", "", by); if (!(by in c)) { c[by] = $4; r[by] = $5; n[by] = $3 } lc[by] = $4; lr[by] = $5; ln[by] = $3 }
		END { for (by in c) printf "\n%s: from %d to %d decided messages, contexts grew by %d kB and private memory by %d kB\n", by, n[by], ln[by], lc[by] - c[by], lr[by] - r[by] }' "$build/scale.out"
	rm -f "$file" "$script" "$build/scale.out"
}

# $1: so many stored messages; $2: so many that arrive, of which one of each is there, undecided
history() {
	local size=$1 n=$2
	fresh "$n"
	# a year of history, with senders, domains and pairs that grow with it; of what arrives
	# four in five are of these senders, drawn from all, two in three of these to whom they wrote
	local senders=$((size / 25 > 4000 ? size / 25 : 4000)) domains=$((size / 160 > 600 ? size / 160 : 600))
	psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<-SQL
		TRUNCATE message;
		INSERT INTO message SELECT i, '2026-01-01'::timestamptz - (i % 8760) * interval '1 hour',
			format('user%s@domain%s.example', k, k % $domains), format('domain%s.example', k % $domains), format('r%s@us.example', (k * 31 + i / $senders % 2) % 500), NULL,
			'Subject ' || i, repeat('history ', ${STORED_BYTES:-40} / 8), '{}', 0, 'spf=pass', 1000
			FROM generate_series(1, $size) i, LATERAL (SELECT i::bigint * 7919 % $senders) l(k);
		SELECT assay.refresh_baseline(b) FROM unnest('{sender_baseline,domain_baseline,pair_baseline}'::text[]) b;
		UPDATE arriving a SET id = id + 1000000000, from_addr = format('user%s@domain%s.example', k, k % $domains), from_domain = format('domain%s.example', k % $domains),
			recipient = format('r%s@us.example', (k * 31 + id % 3) % 500)
			FROM generate_series(1, $n) i, LATERAL (SELECT abs(hashint8(i)::bigint) % ($senders * 5 / 4)) l(k) WHERE i = a.id;
		CREATE UNIQUE INDEX ON arriving (id);
		VACUUM ANALYZE;
		$trigger;
		CHECKPOINT;
	SQL
	psql -Xqc 'ALTER TABLE message DISABLE TRIGGER decide' -c 'INSERT INTO message TABLE arriving'
	[ "$(psql -XqAtc "SELECT avg((sender_events > 0)::int) BETWEEN 0.7 AND 0.9 AND avg((pair_events > 0)::int) BETWEEN 0.4 AND 0.7 AND avg((domain_events > 0)::int) > 0.9
		FROM signals WHERE id > 1000000000")" = t ] || fail 'what arrives is not of the senders that there are'
}

stored() {
	local sizes=("$@") n=20000 size file=$build/scale.copy
	[ ${#sizes[@]} -gt 0 ] || sizes=(100000 1000000)
	printf '| stored messages | baseline rows | database, GB | COPY without decisions, CPU µs a message | with | a decision | with / without | INSERT without | with | with / without | score() |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n'
	for size in "${sizes[@]}"; do
		history "$size" "$n"
		psql -Xqc "COPY (SELECT * FROM arriving) TO STDOUT (FORMAT binary)" >"$file"
		# $1: COPY or INSERT; $2: ENABLE or DISABLE the trigger
		arrive() {
			psql -Xqc 'DELETE FROM message WHERE id > 1000000000' -c 'TRUNCATE bench_decision' -c 'VACUUM message' -c "ALTER TABLE message $2 TRIGGER decide" -c CHECKPOINT
			arrival "$1" "$file" "$singles" | cpu
			psql -Xqc 'ANALYZE bench_decision'	# without, each of all messages reads all of them
			[ "$(psql -XqAtc "SELECT count(d.id) = CASE WHEN '$2' = 'ENABLE' THEN count(*) ELSE 0 END AND count(*) = $([ "$1" = COPY ] && echo "$n" || echo "$singles")
				FROM message m LEFT JOIN bench_decision d ON d.id = m.id AND NOT d.degraded WHERE m.id > 1000000000")" = t ] || fail "$1 by $2 TRIGGER: not each message has its decision"
		}
		local singles=$((n / 4)) with=() without=() one_with=() one_without=() score=() a b c d s
		# into the caches; of what is cold nevertheless standard error tells
		arrive COPY ENABLE >/dev/null
		arrive INSERT ENABLE >/dev/null
		for _ in $(seq "$rounds"); do
			one_without+=("$(arrive INSERT DISABLE)") one_with+=("$(arrive INSERT ENABLE)")
			without+=("$(arrive COPY DISABLE)") with+=("$(arrive COPY ENABLE)")
			score+=("$(cpu <<-SQL
				SELECT x.score FROM (SELECT * FROM signals WHERE id > 1000000000 LIMIT 1) s, assay.score('bench', s) x;
				-- measure
				SELECT count(x.score) FROM signals s, assay.score('bench', s) x WHERE s.id > 1000000000;
			SQL
			)")
		done
		a=$(printf '%s\n' "${without[@]}" | median) b=$(printf '%s\n' "${with[@]}" | median) s=$(printf '%s\n' "${score[@]}" | median)
		c=$(printf '%s\n' "${one_without[@]}" | median) d=$(printf '%s\n' "${one_with[@]}" | median)
		printf '| %s | %s | %s | %s | %s | %s |\n' "$size" \
			"$(psql -XqAtc 'SELECT (SELECT count(*) FROM sender_baseline) + (SELECT count(*) FROM domain_baseline) + (SELECT count(*) FROM pair_baseline)')" \
			"$(psql -XqAtc "SELECT round(pg_database_size('bench_scale') / 1e9, 1)")" \
			"$(calc '%.1f | %.1f | %.1f | %.2f' "$a / $n, $b / $n, ($b - $a) / $n, $b / $a")" \
			"$(calc '%.1f | %.1f | %.2f' "$c / $singles, $d / $singles, $d / $c")" "$(calc %.1f "$s / $n")"
		rm -f "$file"
	done
}

# Single INSERTs in a server of one process under callgrind: what a session took for many less what another took
# for few, so that its start and what it compiles are in neither.
instructions() {
	local size=${1:-100000} few=50 many=550 a b c d
	type -P valgrind >/dev/null || fail 'valgrind is missing: apt-get install valgrind'
	history "$size" 20000
	psql -Xqc 'DELETE FROM message WHERE id > 1000000000' -c 'VACUUM ANALYZE'
	tools/cluster stop scale
	# statements on standard input; the rest of the arguments are a program that runs the server
	alone() { as_owner "$@" "$bindir/postgres" --single -F -c jit=off -c max_parallel_workers_per_gather=0 -D "$build/cluster/$pgmajor/scale/data" bench_scale; }
	# $1: ENABLE or DISABLE the trigger; $2: how many
	count() {
		{
			echo 'DELETE FROM message WHERE id > 1000000000'
			echo 'TRUNCATE bench_decision'
			echo 'VACUUM message'
			echo "ALTER TABLE message $1 TRIGGER decide"
		} | alone >"$build/scale.out" 2>&1
		arrival INSERT '' "$2" | sed '/^--/d; s/; /;\n/g' | alone valgrind --tool=callgrind --callgrind-out-file=/dev/null >"$build/scale.out" 2>&1
		if grep -E 'ERROR|WARNING|FATAL' "$build/scale.out" >&2; then return 1; fi
		[ "$(echo 'SELECT count(d.id) AS decided, count(*) AS arrived FROM message m LEFT JOIN bench_decision d ON d.id = m.id AND NOT d.degraded WHERE m.id > 1000000000' |
			alone 2>/dev/null | sed -n 's/.*\(decided\|arrived\) = "\([0-9]*\)".*/\2/p' | paste -sd' ')" = "$([ "$1" = ENABLE ] && echo "$2" || echo 0) $2" ] ||
			fail "INSERT by $1 TRIGGER: not each message has its decision"
		sed -n 's/.*Collected *: *\([0-9]*\).*/\1/p' "$build/scale.out"
	}
	a=$(count DISABLE $few) b=$(count DISABLE $many)
	c=$(count ENABLE $few) d=$(count ENABLE $many)
	printf '| stored messages | instructions of an INSERT without decisions | with | with / without |\n| --- | --- | --- | --- |\n'
	printf '| %s | %s |\n' "$size" "$(calc '%.0f | %.0f | %.2f' "($b - $a) / ($many - $few), ($d - $c) / ($many - $few), ($d - $c) / ($b - $a)")"
	rm -f "$build/scale.out"
}

conditions() {
	local sizes=("$@") n=20000 size
	[ ${#sizes[@]} -gt 0 ] || sizes=(50 100 200 400 800)
	fresh "$n"
	# The kinds of bench/policy.sql, in its shares whatever the number. The
	# signals are read from a table: what is measured is score() alone.
	psql -Xq -v ON_ERROR_STOP=1 -c 'CREATE TABLE signal_row AS SELECT * FROM signals'
	for size in "${sizes[@]}"; do
		psql -Xqc "SELECT assay.create_policy('c$size', 'signals', '{id}', prior => -4)" \
			-c "SELECT count(assay.create_detector('c$size', 'rule ' || to_char(n, 'FM0000'), condition(1 + n * 97 % 300, n), weight => 0.5, mode => 'live')) FROM generate_series(1, $size) n" >/dev/null
	done
	psql -Xqc 'VACUUM ANALYZE'
	rm -f "$build"/scale.conditions.*
	for _ in $(seq "$rounds"); do
		for size in "${sizes[@]}"; do
			cpu >>"$build/scale.conditions.$size" <<-SQL
				SELECT x.score FROM (SELECT * FROM signal_row LIMIT 1) s, assay.score('c$size', s) x;
				-- measure
				SELECT count(x.score) FROM signal_row s, assay.score('c$size', s) x;
			SQL
		done
	done
	printf '| conditions | CPU µs a message | ns a condition beyond the row before |\n| --- | --- | --- |\n'
	for size in "${sizes[@]}"; do echo "$size $(median <"$build/scale.conditions.$size")"; done |
		awk -v n="$n" '{ us = $2 / n; printf "| %d | %.2f | %s |\n", $1, us, (NR > 1 ? sprintf("%.1f", (us - last) * 1000 / ($1 - size)) : "")
			last = us; size = $1; x += $1; y += us; xx += $1 * $1; xy += $1 * us }
			END { if (NR > 1) printf "\nSlope (least squares): %.1f ns a condition\n", (NR * xy - x * y) / (NR * xx - x * x) * 1000 }'
	rm -f "$build"/scale.conditions.*
}

case $what in
memory | stored | instructions | conditions) "$what" "$@" ;;
*) sed -n '4,13s/^# \{0,1\}//p' "$0" >&2; exit 1 ;;
esac
