#!/bin/bash
# assay_stream with a real broker of Kafka: how many decided messages a second, CPU
# a message; then kills and zombies, after which each message must be there once.
#
#   ASSAY_KAFKA=HOST:PORT bench/stream.sh [MESSAGES (200000) [KILLS (50) [ZOMBIES (10) [ROUNDS (3) [BYTES (1800)]]]]]
#   ASSAY_KAFKA_JARS=FOLDER bench/stream.sh ...
#
# The first uses a broker that runs; the second starts one on 127.0.0.1 from a
# folder of jars (org.apache.kafka:kafka_2.13 and org.apache.kafka:kafka-tools
# with what they depend on, 4.0 or later; needs java) and stops it in the end.
# With neither it is skipped.  The topics that it makes are named assay_bench_*.
set -euo pipefail
. "$(dirname "$0")/../tools/common.sh"
. "$top/bench/common.sh"
messages=${1:-200000} kills=${2:-50} zombies=${3:-10} rounds=${4:-3} bytes=${5:-1800}
for number in "$messages" "$kills" "$zombies" "$rounds" "$bytes"; do
	[[ $number =~ ^[0-9]{1,9}$ ]] || fail "\"$number\" is no number of anything"
done
cd "$top"
broker=${ASSAY_KAFKA:-} jars=${ASSAY_KAFKA_JARS:-}
if [ -z "$broker$jars" ]; then
	echo 'skipped: neither ASSAY_KAFKA nor ASSAY_KAFKA_JARS says where a broker is'
	exit 0
fi
work=$(mktemp -d)
pids=()
# Ends what was started, by its number
clean() {
	for pid in "${pids[@]}"; do
		kill -CONT "$pid" 2>/dev/null || true
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	tools/cluster stop stream
	rm -rf "$work"
}
trap clean EXIT

# ---- a broker -----------------------------------------------------------------

free_port() { perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport'; }

start_broker() {
	local port controller
	port=$(free_port) controller=$(free_port)
	broker=127.0.0.1:$port
	cat >"$work/server.properties" <<EOF
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=$work/kafka
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
EOF
	printf '%s\n' 'rootLogger.level=warn' 'rootLogger.appenderRef.c.ref=C' 'appender.c.type=Console' \
		'appender.c.name=C' 'appender.c.layout.type=PatternLayout' >"$work/log4j2.properties"
	local java=(java -Xmx768m "-Dlog4j2.configurationFile=$work/log4j2.properties" -cp "$jars/*")
	"${java[@]}" kafka.tools.StorageTool format -t AAAAAAAAQACAAAAAAAAAAQ -c "$work/server.properties" >"$work/format.log" 2>&1 ||
		{ cat "$work/format.log" >&2; fail 'the storage of the broker could not be made'; }
	"${java[@]}" kafka.Kafka "$work/server.properties" >"$work/broker.log" 2>&1 &
	pids+=($!)
	for _ in $(seq 300); do
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && return
		sleep 0.2
	done
	cat "$work/broker.log" >&2
	fail 'the broker did not come up within a minute'
}
[ -z "$jars" ] || start_broker
# flags are words
# shellcheck disable=SC2046
"${CC:-cc}" -O2 -o "$work/topic" bench/stream_topic.c $(pkg-config --cflags --libs rdkafka)
run=$$
# $1: its name; $2: first number; $3: how many; $4: partitions, where it is to be made
topic() { "$work/topic" "$broker" "assay_bench_$1_$run" "$2" "$3" "$bytes" ${4:+"$4"} 2>>"$work/topic.log" || { cat "$work/topic.log" >&2; fail 'the topic could not be written'; }; }

# ---- the database ---------------------------------------------------------------

tools/cluster start stream shared_preload_libraries=pg_assay shared_buffers=1GB max_wal_size=8GB checkpoint_timeout=1h
eval "$(tools/cluster env stream)"
export PGOPTIONS='-c client_min_messages=warning'
psql -Xq -d postgres -c 'DROP DATABASE IF EXISTS bench_stream' -c 'CREATE DATABASE bench_stream TEMPLATE template0 ENCODING UTF8'
export PGDATABASE=bench_stream
ask() { psql -XqAt -v ON_ERROR_STOP=1 -c "$1"; }
psql -Xq -v ON_ERROR_STOP=1 >/dev/null <<'SQL'
CREATE EXTENSION pg_assay;
CREATE TABLE message (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, tenant_id int, source text, received_at timestamptz NOT NULL,
	from_addr text, reply_to text, subject text, body_text text);
CREATE VIEW message_signals AS SELECT id, received_at, from_addr, subject, body_text,
	split_part(from_addr, '@', 2) <> split_part(reply_to, '@', 2) AS reply_elsewhere,
	length(body_text) AS body_chars FROM message;
SELECT assay.create_policy('inbound', signals => 'message_signals', key => '{id}', prior => -4);
SELECT assay.create_detector('inbound', name, condition => condition, weight => weight, mode => 'live') FROM (VALUES
	('reply_elsewhere', 'reply_elsewhere', 2.0),
	('money', $$body_text ILIKE '%payment%' AND body_text ILIKE '%urgent%'$$, 3.0),
	('short', 'body_chars < 40', 1.0)) d (name, condition, weight);
CREATE TRIGGER decide AFTER INSERT ON message REFERENCING NEW TABLE AS new_messages
	FOR EACH STATEMENT EXECUTE FUNCTION assay.decide('inbound');
SQL
cp src/bin/assay_stream "$work/assay_stream"
"$work/assay_stream" -w --stdin=lines --create-table -q </dev/null >/dev/null

# $1: a log; the others: options.  Sets pid
start() {
	local log=$1
	shift
	"$work/assay_stream" -w -X "bootstrap.servers=$broker" -X session.timeout.ms=6000 -X heartbeat.interval.ms=500 \
		--column=tenant_id --no-progress "$@" >"$work/$log.out" 2>>"$work/$log.err" &
	pid=$!
	pids+=("$pid")
}
# The sum of what is loaded
place() { ask 'SELECT coalesce(sum(next), 0) FROM assay_offset'; }
# Wait until so much is loaded; fails after $2 seconds
reach() {
	for _ in $(seq $((${2:-120} * 20))); do
		[ "$(place)" -lt "$1" ] || return 0
		sleep 0.05
	done
	cat "$work"/*.err >&2
	fail "no more than $(place) of $1 messages came"
}
empty() { ask 'TRUNCATE message, inbound_decision, assay_offset, assay_dead_letter, assay_stream; CHECKPOINT'; }
# Is each there once, and decided once?
each_once() {
	local found
	found=$(ask "SELECT format('%s stored, %s distinct, %s decisions of %s messages, %s dead', (SELECT count(*) FROM message),
		(SELECT count(DISTINCT subject) FROM message), (SELECT count(*) FROM inbound_decision),
		(SELECT count(DISTINCT m.id) FROM inbound_decision d JOIN message m ON m.id = d.id), (SELECT count(*) FROM assay_dead_letter))")
	[ "$found" = "$1 stored, $1 distinct, $1 decisions of $1 messages, 0 dead" ] || fail "of $1 messages: $found"
}
# Microseconds of CPU of a process and its threads, user and system
cpu_of() { awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.0f", ($12 + $13) / hz * 1e6 }' "/proc/$1/stat"; }

# ---- throughput -------------------------------------------------------------------

topic speed 0 "$messages" 4
seconds='' client='' server=''
for round in $(seq "$rounds"); do
	empty
	start speed --topic="assay_bench_speed_$run" --group="speed$round" --batch-size=1000 --linger=200
	# the time until the group is formed is none of it
	until [ "$(ask 'SELECT coalesce(sum(next), 0) > 0 FROM assay_offset')" = t ]; do sleep 0.01; done
	from=$(date +%s%N) already=$(place)
	reach "$messages" 600
	to=$(date +%s%N)
	backend=$(ask "SELECT pid FROM pg_stat_activity WHERE application_name = 'assay_stream' ORDER BY backend_start LIMIT 1")
	client+="$(calc %.2f "$(cpu_of "$pid") / $messages") "
	server+="$(calc %.2f "$(cpu_of "$backend") / $messages") "
	seconds+="$(calc %.0f "($messages - $already) * 1e9 / ($to - $from)") "
	kill -TERM "$pid"
	wait "$pid" || fail "assay_stream ended with $?"
	each_once "$messages"
done
med() { tr ' ' '\n' <<<"$1" | sed '/^$/d' | median; }
row "$messages messages of $bytes bytes, three detectors, batches of 1,000, $(nproc) cores with everything on them" "of $rounds rounds"
row --- ---
row 'decided messages a second' "$(med "$seconds") ($seconds)"
row 'CPU of assay_stream, µs a message' "$(med "$client") ($client)"
row 'CPU of its backend, µs a message' "$(med "$server") ($server)"

# ---- kills and zombies --------------------------------------------------------------

# The next portion into the topic, while something else happens; sets producer
sent=0 step=0
more() {
	local n=$((messages / (kills + zombies)))
	step=$((step + 1))
	# the last takes what is left
	[ $step -lt $((kills + zombies)) ] || n=$((messages - sent))
	topic kills "$sent" "$n" &
	producer=$!
	sent=$((sent + n))
}
# A moment that nobody knows, below $1 milliseconds
moment() { sleep "$(calc %.3f "$((RANDOM % $1)) / 1000")"; }

if [ $((kills + zombies)) -gt 0 ]; then
	empty
	options=(--topic="assay_bench_kills_$run" --group=kills --batch-size=200 --linger=20)
	topic kills 0 0 4
	working=0
	for kill in $(seq "$kills"); do
		before=$(place)
		start kill "${options[@]}" --instance=one
		more
		# two of three while it is at work, the third while it joins or reads
		if [ $((kill % 3)) -ne 0 ]; then
			for _ in $(seq 200); do
				[ "$(place)" -eq "$before" ] || { working=$((working + 1)); break; }
				sleep 0.02
			done
		fi
		moment 300
		kill -KILL "$pid"
		wait "$pid" 2>/dev/null || true
		wait "$producer"
	done
	if [ "$zombies" -gt 0 ]; then
		start zombie "${options[@]}" --instance=zombie
		zombie=$pid
		reach "$sent"
	fi
	for _ in $(seq "$zombies"); do
		more
		moment 400
		kill -STOP "$zombie"
		wait "$producer"
		# another takes over when the session of the first has ended
		start heir "${options[@]}" --instance=heir
		heir=$pid
		reach "$sent"
		# both are at work; then the heir goes
		kill -CONT "$zombie"
		moment 1000
		kill -TERM "$heir"
		wait "$heir" || { cat "$work/heir.err" >&2; fail "an heir ended with $?"; }
	done
	[ "$zombies" -gt 0 ] || start last "${options[@]}" --instance=one
	reach "$sent"
	kill -TERM "${zombie:-$pid}"
	wait "${zombie:-$pid}" || { cat "$work/zombie.err" >&2; fail "the last one ended with $?"; }
	each_once "$sent"
	fenced=$(ask "SELECT coalesce(sum(fenced), 0) FROM assay_stream")
	echo
	echo "$sent messages, $kills kills ($working while it wrote), $zombies zombies (fenced $fenced times): 0 lost, 0 doubled, each decided once"
fi
