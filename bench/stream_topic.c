/*
 * stream_topic.c
 *	  Numbered messages into a topic of Kafka, for bench/stream.sh.
 *
 *	  stream_topic BROKERS TOPIC FIRST COUNT BYTES [PARTITIONS]
 *
 * With PARTITIONS the topic is made first.  A message is an object of JSON of
 * about BYTES bytes, with its number in the subject and the key, and a header
 * "tenant_id".  It ends with 0 when all are acknowledged by all replicas.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <librdkafka/rdkafka.h>

#define MAX_BYTES	100000

static long failures;

static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *unused)
{
	(void) rk;
	(void) unused;
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		failures++;
}

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "stream_topic: %s: %s\n", what, why);
	exit(1);
}

static rd_kafka_t *
make_producer(const char *brokers)
{
	static const char *const properties[][2] = {
		{"acks", "all"}, {"enable.idempotence", "true"}, {"linger.ms", "5"}, {"queue.buffering.max.kbytes", "65536"}
	};
	char		error[512];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;

	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	if (rd_kafka_conf_set(conf, "bootstrap.servers", brokers, error, sizeof(error)) != RD_KAFKA_CONF_OK)
		fail("configuration", error);
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		if (rd_kafka_conf_set(conf, properties[i][0], properties[i][1], error, sizeof(error)) != RD_KAFKA_CONF_OK)
			fail("configuration", error);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (rk == NULL)
		fail("client", error);
	return rk;
}

static void
create_topic(rd_kafka_t *rk, const char *topic, int partitions)
{
	char		error[512];
	rd_kafka_NewTopic_t *wanted = rd_kafka_NewTopic_new(topic, partitions, 1, error, sizeof(error));
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_event_t *event;
	const rd_kafka_topic_result_t **results;
	size_t		n;

	if (wanted == NULL)
		fail("topic", error);
	rd_kafka_CreateTopics(rk, &wanted, 1, NULL, queue);
	event = rd_kafka_queue_poll(queue, 30000);
	if (event == NULL)
		fail("topic", "no answer within 30 s");
	if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail("topic", rd_kafka_event_error_string(event));
	results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
	for (size_t i = 0; i < n; i++)
		if (rd_kafka_topic_result_error(results[i]) != RD_KAFKA_RESP_ERR_NO_ERROR)
			fail("topic", rd_kafka_topic_result_error_string(results[i]));
	rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_NewTopic_destroy(wanted);
}

/* A message, of words that depend on its number */
static int
make_message(char *buf, long number, int bytes)
{
	static const char *const words[] = {
		"invoice", "meeting", "payment", "please", "the", "and", "of", "report", "quarter", "team", "account",
		"update", "attached", "regards", "password", "deadline", "budget", "lunch", "release", "contract", "we",
		"you", "tomorrow", "transfer", "server", "number", "agenda", "question", "review", "urgent", "bank", "draft"
	};
	unsigned long state = number * 2654435761UL + 12345;
	int			len = sprintf(buf, "{\"received_at\":\"2026-11-%02ldT%02ld:%02ld:00Z\",\"from_addr\":\"user%ld@firm%ld.example\","
							  "\"reply_to\":\"user%ld@firm%ld.example\",\"subject\":\"message %ld\",\"body_text\":\"",
							  1 + number % 28, number % 24, number % 60, number % 5003, number % 503,
							  number % 5003, number % (number % 50 == 0 ? 7 : 503), number);

	while (len < bytes - 30)
	{
		state = state * 6364136223846793005UL + 1442695040888963407UL;
		len += sprintf(buf + len, "%s%s", words[(state >> 33) % 32], (state >> 40) % 17 == 0 ? ".\\n" : " ");
	}
	return len + sprintf(buf + len, "end.\"}");
}

int
main(int argc, char **argv)
{
	rd_kafka_t *rk;
	static char buf[MAX_BYTES + 1000];

	if (argc < 6 || atoi(argv[5]) > MAX_BYTES)
		fail("usage", "stream_topic BROKERS TOPIC FIRST COUNT BYTES [PARTITIONS]");
	rk = make_producer(argv[1]);
	if (argc > 6)
		create_topic(rk, argv[2], atoi(argv[6]));
	for (long n = atol(argv[3]), last = n + atol(argv[4]); n < last; n++)
	{
		int			len = make_message(buf, n, atoi(argv[5]));
		char		number[30];
		char		tenant[30];
		int			number_len = sprintf(number, "%ld", n);
		int			tenant_len = sprintf(tenant, "%ld", n % 100);

		while (rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(argv[2]), RD_KAFKA_V_KEY(number, number_len),
								 RD_KAFKA_V_VALUE(buf, len), RD_KAFKA_V_HEADER("tenant_id", tenant, tenant_len),
								 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			rd_kafka_poll(rk, 10);
		rd_kafka_poll(rk, 0);
	}
	if (rd_kafka_flush(rk, 120000) != RD_KAFKA_RESP_ERR_NO_ERROR || failures > 0)
		fail("messages", "not all were acknowledged");
	rd_kafka_destroy(rk);
	return 0;
}
