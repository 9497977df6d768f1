#!/bin/bash
# Measure onboard(): from a table of messages to a policy with its report, in a
# private cluster; prints markdown.
#
#   bench/onboard.sh [N]             N made-up messages (100,000), a half and a quarter of them
#   bench/onboard.sh --mail MAIL...  mail that assay_load reads; labels: from files whose name has "phishing"
#
# Time is that of the clock, and processor time that of the server and all its
# processes. On a busy machine the second tells more.
set -euo pipefail
cd "$(dirname "$0")/.."
. bench/common.sh
n=100000 mail=()
case ${1:-} in
--mail) shift; mail=("$@"); [ ${#mail[@]} -gt 0 ] || fail 'say which mail' ;;
'') ;;
*[!0-9]*) fail "what is $1?" ;;
*) n=$1 ;;
esac

tools/cluster start bench_onboard fsync=off shared_buffers=512MB max_wal_size=4GB work_mem=64MB maintenance_work_mem=256MB >/dev/null
trap 'tools/cluster stop bench_onboard' EXIT
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
	sql -v n="$1" <<'SQL'
CREATE TABLE message (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id text, received_at timestamptz NOT NULL, message_id text, from_addr text, from_name text,
	from_domain text, reply_to text, recipients text[], subject text, body_text text, urls text[], headers jsonb, in_reply_to text);
-- 90 days; a twentieth are attacks; senders, words and times by a hash of the number
INSERT INTO message (tenant_id, received_at, message_id, from_addr, from_name, from_domain, recipients, subject, body_text, urls, headers)
SELECT 'tenant' || h % 20, timestamptz '2024-01-01' + i * (interval '90 days' / :n), i || '@' || d, a || '@' || d, n, d, ARRAY['user' || h % 500 || '@corp.example'],
	CASE WHEN bad THEN (ARRAY['Your account has been limited', 'Unusual sign-in activity', 'Invoice overdue', 'Parcel waiting'])[1 + h % 4] ELSE 'Re: ' || w[1] || ' ' || w[2] END,
	CASE WHEN bad THEN 'Dear customer, please verify your account within 24 hours. Click here: ' ELSE 'Hello, as we said about ' END || array_to_string(w, ' '),
	CASE WHEN bad THEN ARRAY['http://' || d || '/login/' || i] WHEN h % 3 = 0 THEN ARRAY['https://www.' || d || '/page/' || h % 100] END,
	jsonb_build_object('authentication-results', jsonb_build_array('mx.corp.example; spf=' || CASE WHEN bad THEN 'none' ELSE 'pass' END || ' smtp.mailfrom=' || d || '; dkim='
		|| CASE WHEN bad THEN 'none' ELSE 'pass header.d=' || d END), 'content-type', jsonb_build_array('text/plain; charset=utf-8'))
FROM (SELECT i, abs(hashint8(i)) AS h, i % 20 = 0 AS bad FROM generate_series(1, :n) i) x
CROSS JOIN LATERAL (SELECT CASE WHEN bad THEN 'service' || h % 50 ELSE 'person' || h % 400 END AS a, CASE WHEN bad THEN 'PayPal' ELSE 'Person ' || h % 400 END AS n,
	CASE WHEN bad THEN 'pay-alerts' || h % 300 || '.top' ELSE 'partner' || h % 150 || '.example' END AS d,
	array(SELECT 'w' || abs(hashint8(i * 997 + k)) % 5000 FROM generate_series(1, 150) k) AS w) y;
CREATE TABLE known AS SELECT id, id % 20 = 0 AS malicious, received_at + interval '1 day' AS labelled_at FROM message WHERE id % 10 IN (0, 3);
VACUUM ANALYZE;
SQL
	# texts differ, and a tenth of the labels are of either kind at least
	[ "$(sql -c 'SELECT count(DISTINCT md5(body_text)) = count(*) FROM message')" = t ] || fail 'texts are alike'
	[ "$(sql -c 'SELECT avg(malicious::int) BETWEEN 0.1 AND 0.9 FROM known')" = t ] || fail 'labels are of one kind'
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

# $1: further arguments. Seconds by the clock, and of processors
onboard() {
	local from
	from=$(ended)
	/usr/bin/env time -f %e -o /tmp/onboard.$$ psql -XqAt -v ON_ERROR_STOP=1 -c "CALL assay.onboard('inbound', 'message'$1)"
	# the server counts a process once that has ended
	sleep 1
	wall=$(cat /tmp/onboard.$$) processors=$(calc '%.1f' "$(ended) - $from")
	rm -f /tmp/onboard.$$
	[ "$(sql -c 'SELECT count(*) FROM message m LEFT JOIN inbound_verdict v USING (id) WHERE v.id IS NULL')" = 0 ] || fail 'not all is decided'
}

report() {
	local messages=$1 title=$2
	echo
	echo "$title, $messages messages: $wall s by the clock, $processors s of processors (load $(cut -d' ' -f1 /proc/loadavg)):"
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
for m in $((n / 4)) $((n / 2)) "$n"; do
	fresh
	made_up "$m"
	onboard ''
	line="| $m | $wall | $processors | $(calc '%.0f' "1e6 * $processors / $m")"
	[ "$m" != "$n" ] || report "$m" 'Without labels'
	sql -c "SELECT assay.offboard('inbound')"
	onboard ", labels => 'known', tenant => 'tenant_id'"
	rows+=("$line | $wall | $processors | $(calc '%.0f' "1e6 * $processors / $m") |")
	[ "$m" != "$n" ] || report "$m" 'With labels of a fifth, and tenants'
done
echo
echo '| messages | seconds | of processors | µs a message | with labels and tenants: seconds | of processors | µs a message |'
echo '| ---: | ---: | ---: | ---: | ---: | ---: | ---: |'
printf '%s\n' "${rows[@]}"
