#!/bin/bash
# Measure onboard(): from a table of messages to a policy with its report, in a
# private cluster; prints markdown.
#
#   bench/onboard.sh [--days DAYS] [--only] [--labelled] [--batch ROWS] [--keep] [N]
#                                    N made-up messages (100,000) of so many days (90), a half and a quarter of them;
#                                    only: N alone. --only 1000000 is what the mission asks for
#                                    labelled: only with labels and tenants, not without them first
#                                    batch: messages decided in a transaction (10,000); keep: the server goes on
#   bench/onboard.sh --mail MAIL...  mail that assay_load reads; labels: from files whose name has "phishing"
#
# Time is that of the clock, and processor time that of the server and all its
# processes. On a busy machine the second tells more. Memory is the most that
# the backend that onboards had of its own, looked at each half second.
# Progress goes to standard error, every ten seconds.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/common.sh
n=100000 days=90 only='' labelled='' batch=10000 keep='' mail=()
while [ $# -gt 0 ]; do
	case $1 in
	--mail) shift; mail=("$@"); [ ${#mail[@]} -gt 0 ] || fail 'say which mail'; break ;;
	--only) only=1 ;;
	--labelled) labelled=1 ;;
	--keep) keep=1 ;;
	--batch) shift; batch=${1:?say how large a batch is} ;;
	--days) shift; days=${1:?say how many days} ;;
	''|*[!0-9]*) fail "what is $1?" ;;
	*) n=$1 ;;
	esac
	shift
done
case $days in ''|*[!0-9]*|0) fail "how many days are $days?" ;; esac
case $batch in ''|*[!0-9]*|0) fail "how large is a batch of $batch?" ;; esac

tools/cluster start bench_onboard fsync=off shared_buffers=512MB max_wal_size=4GB work_mem=64MB maintenance_work_mem=256MB >/dev/null
watching='' work=$(mktemp -d)
trap 'rm -rf "$work"; [ -z "$watching" ] || kill "$watching" 2>/dev/null; [ -n "$keep" ] || tools/cluster stop bench_onboard' EXIT
eval "$(tools/cluster env bench_onboard)"
export PGOPTIONS='-c client_min_messages=warning -c jit=off'
sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }
postmaster=$(sql -d postgres -c "SELECT pg_read_file('postmaster.pid')" | head -n 1)
# Seconds of processor time of all processes of the server that have ended
ended() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); print ($14 + $15) / hz }' "/proc/$postmaster/stat"; }

fresh() {
	sql -d postgres -c 'DROP DATABASE IF EXISTS onboard' -c 'CREATE DATABASE onboard'
	export PGDATABASE=onboard
	sql -c 'CREATE EXTENSION pg_assay_email CASCADE'
}

made_up() {
	say "making $1 messages of $days days"
	sql -v n="$1" -v days="$days days" <<'SQL'
CREATE TABLE message (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id text, received_at timestamptz NOT NULL, message_id text, from_addr text, from_name text,
	from_domain text, reply_to text, recipients text[], subject text, body_text text, urls text[], headers jsonb, in_reply_to text);
-- A twentieth are attacks; senders and words by a hash of the number. There are 1,200 good senders and 300 bad
-- ones however many messages, so that histories grow with N: each of one tenant, with five recipients.
-- No server is named that Authentication-Results are believed of.
INSERT INTO message (tenant_id, received_at, message_id, from_addr, from_name, from_domain, recipients, subject, body_text, urls, headers)
SELECT 'tenant' || h % 20, timestamptz '2024-01-01' + i * (interval :'days' / :n), i || '@' || d, a || '@' || d, n, d, ARRAY['user' || h % 500 || '@corp.example'],
	CASE WHEN bad THEN (ARRAY['Your account has been limited', 'Unusual sign-in activity', 'Invoice overdue', 'Parcel waiting'])[1 + h % 4] ELSE 'Re: ' || w[1] || ' ' || w[2] END,
	CASE WHEN bad THEN 'Dear customer, please verify your account within 24 hours. Click here: ' ELSE 'Hello, as we said about ' END || array_to_string(w, ' '),
	CASE WHEN bad THEN ARRAY['http://' || d || '/login/' || i] WHEN h % 3 = 0 THEN ARRAY['https://www.' || d || '/page/' || h % 100] END,
	jsonb_build_object('authentication-results', jsonb_build_array('mx.corp.example; spf=' || CASE WHEN bad THEN 'none' ELSE 'pass' END || ' smtp.mailfrom=' || d || '; dkim='
		|| CASE WHEN bad THEN 'none' ELSE 'pass header.d=' || d END), 'content-type', jsonb_build_array('text/plain; charset=utf-8'))
FROM (SELECT i, abs(hashint8(i)) AS h, i % 20 = 0 AS bad FROM generate_series(1, :n) i) x
CROSS JOIN LATERAL (SELECT CASE WHEN bad THEN 'service' || h % 50 ELSE 'person' || h % 400 END AS a, CASE WHEN bad THEN 'PayPal' ELSE 'Person ' || h % 400 END AS n,
	CASE WHEN bad THEN 'pay-alerts' || h % 300 || '.top' ELSE 'partner' || h % 150 || '.example' END AS d,
	array(SELECT 'w' || abs(hashint8(i * 997 + k)) % 5000 FROM generate_series(1, 150) k) AS w) y;
-- labels: of all attacks, and of 3,750 in 23,750 of the rest
CREATE TABLE known AS SELECT id, id % 20 = 0 AS malicious, received_at + interval '1 day' AS labelled_at FROM message WHERE id % 10 IN (0, 3);
VACUUM ANALYZE;
SQL
	# what is measured is what is said
	[ "$1" -lt 20000 ] || [ "$(sql -v days="$days" <<'SQL'
SELECT count(DISTINCT md5(body_text)) = count(*) AND avg(octet_length(body_text)) BETWEEN 850 AND 950 AND count(DISTINCT received_at::date) BETWEEN :days AND :days + 1
	AND avg((urls IS NOT NULL)::int) BETWEEN 0.3 AND 0.45 AND count(DISTINCT from_addr) BETWEEN 1450 AND 1500 AND count(DISTINCT tenant_id) = 20 AND avg((id % 20 = 0)::int) BETWEEN 0.04 AND 0.06
	FROM message;
SQL
)" = t ] || fail 'messages are not as they should be'
	[ "$(sql -c 'SELECT avg(k.malicious::int) BETWEEN 0.2 AND 0.3 AND count(*)::float8 / (SELECT count(*) FROM message) BETWEEN 0.19 AND 0.21 FROM known k')" = t ] || fail 'labels are not as they should be'
}

load() {
	local m
	for m in "${mail[@]}"; do
		src/bin/assay_load -q --create-table -t message --mailbox="$(basename "$m")" $([[ $m != *.jsonl* ]] || echo --format=jsonl) "$m" || [ $? = 2 ]
	done
	sql <<'SQL'
CREATE TABLE known AS SELECT id, mailbox LIKE '%phishing%' AS malicious, received_at + interval '1 day' AS labelled_at FROM message WHERE id % 5 = 0;
VACUUM ANALYZE;
SQL
}

say() { echo "$(date -u +%H:%M:%S) $*" >&2; }

# What step it is at, every ten seconds; the most memory of its own that the backend had goes into a file. Until it is stopped
watch() {
	local most=0 now pid='' i=0
	while sleep 0.5; do
		[ -n "$pid" ] && [ -d "/proc/$pid" ] || pid=$(sql -c "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL assay.onboard(%' AND datname = current_database() LIMIT 1") || continue
		[ -n "$pid" ] || continue
		now=$(awk '/^RssAnon/ { print $2 }' "/proc/$pid/status" 2>/dev/null) || continue
		[ "${now:-0}" -le "$most" ] || { most=$now; echo "$most" >"$1"; }
		i=$((i + 1))
		[ $((i % 20)) != 0 ] || say "$(sql -c "SELECT format('%s of %s steps done, at \"%s\"%s', count(*) FILTER (WHERE state IN ('done', 'skipped')), count(*),
			(array_agg(step ORDER BY n) FILTER (WHERE state NOT IN ('done', 'skipped')))[1],
			(SELECT format(', %s of about %s messages decided', b.decided, b.expected) FROM assay.backfill_progress b WHERE b.state = 'running' ORDER BY b.started_at DESC LIMIT 1))
			FROM assay.onboarding"), $((now / 1024)) MB"
	done
}

# $1: further arguments. Seconds by the clock, and of processors, and MB
onboard() {
	local from
	from=$(ended)
	echo 0 >"$work/memory"
	watch "$work/memory" &
	watching=$!
	/usr/bin/env time -f %e -o "$work/wall" psql -XqAt -v ON_ERROR_STOP=1 -c "CALL assay.onboard('inbound', 'message'$1, batch => $batch)"
	kill "$watching"
	wait "$watching" 2>/dev/null || true
	watching=''
	memory=$(($(cat "$work/memory") / 1024))
	rm -f "$work/memory"
	# the server counts a process once that has ended
	sleep 1
	wall=$(cat "$work/wall") processors=$(calc '%.1f' "$(ended) - $from")
	rm -f "$work/wall"
	[ "$(sql -c 'SELECT count(*) FROM message m LEFT JOIN inbound_verdict v USING (id) WHERE v.id IS NULL')" = 0 ] || fail 'not all is decided'
}

report() {
	local messages=$1 title=$2
	echo
	echo "$title, $messages messages: $wall s by the clock, $processors s of processors, $memory MB (load $(cut -d' ' -f1 /proc/loadavg)):"
	echo
	echo '| step | rows | seconds | µs a message |'
	echo '| --- | ---: | ---: | ---: |'
	sql -F ' | ' -c "SELECT step, coalesce(rows::text, ''), coalesce(round(seconds, 1)::text, ''), coalesce(round(1e6 * seconds / $messages)::text, '') FROM assay.onboarding" | sed 's/^/| /; s/$/ |/'
}

if [ ${#mail[@]} -gt 0 ]; then
	fresh
	load
	m=$(sql -c 'SELECT count(*) FROM message')
	onboard ''
	report "$m" 'Without labels'
	echo
	sql -F ' | ' -c "SELECT part, name, round(value, 2), detail FROM assay.onboarding_report WHERE part IN ('history', 'would have been', 'check')"
	sql -c "SELECT assay.offboard('inbound')"
	onboard ", labels => 'known'"
	report "$m" 'With labels of a fifth'
	echo
	sql -F ' | ' -c "SELECT part, name, round(value, 4), detail FROM assay.onboarding_report WHERE part IN ('history', 'would have been', 'label', 'check')"
	sql -F ' | ' -c "SELECT step, note FROM assay.onboarding WHERE step IN ('weights', 'thresholds')"
	exit
fi

rows=()
sizes=("$n")
[ -n "$only" ] || sizes=($((n / 4)) $((n / 2)) "$n")
for m in "${sizes[@]}"; do
	fresh
	made_up "$m"
	line="| $m | | |"
	if [ -z "$labelled" ]; then
		onboard ''
		line="| $m | $wall | $processors | $(calc '%.0f' "1e6 * $processors / $m")"
		[ "$m" != "$n" ] || report "$m" 'Without labels'
		sql -c "SELECT assay.offboard('inbound')"
	fi
	onboard ", labels => 'known', tenant => 'tenant_id'"
	[ "$(sql -c "SELECT count(*) <= 100 FROM inbound_words_version")" = t ] || fail 'the text model has more versions than it may'
	rows+=("$line | $wall | $processors | $(calc '%.0f' "1e6 * $processors / $m") |")
	[ "$m" != "$n" ] || report "$m" 'With labels of a fifth, and tenants'
done
echo
echo '| messages | seconds | of processors | µs a message | with labels and tenants: seconds | of processors | µs a message |'
echo '| ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
printf '%s\n' "${rows[@]}"
