/*
 * stream_kafka.c
 *	  A cluster of Kafka for t/stream_kafka.pl: librdkafka's own mock, in this
 *	  process, with the messages that standard input asks for.
 *
 * It prints the address of the broker.  Then each line "COUNT PARTITION" puts
 * COUNT numbered messages into a partition of the topic "mail", -1 into all of
 * them in turn, and prints "done"; it ends with its input.  Partition -2 is that
 * of the topic "tombs"; -3, too, but what goes there is tombstones, with keys of
 * half a megabyte.  A partition keeps no more than 5 MB, so that a few of them
 * do what retention does.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

static int	failed;

static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *unused)
{
	(void) rk;
	(void) unused;
	failed |= m->err != RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_t *
make_client(const char *servers)
{
	char		error[512];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;

	rd_kafka_conf_set_dr_msg_cb(conf, delivered);
	rd_kafka_conf_set(conf, "linger.ms", "5", error, sizeof(error));
	if (servers != NULL)
		rd_kafka_conf_set(conf, "bootstrap.servers", servers, error, sizeof(error));
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof(error));
	if (rk == NULL)
	{
		fprintf(stderr, "%s\n", error);
		exit(1);
	}
	return rk;
}

#define KEY_BYTES	(512 * 1024)

/* A message, or a tombstone; false where there is no room for now */
static bool
produce(rd_kafka_t *producer, int n, int partition)
{
	static char key[KEY_BYTES];
	const char *topic = "mail";
	char		payload[200];
	char		tenant[20];
	int			len = snprintf(payload, sizeof(payload), "{\"subject\":\"s%d\",\"from_addr\":\"a@b.example\"}", n);
	int			tenant_len = snprintf(tenant, sizeof(tenant), "%d", n % 7);

	if (partition == -3)
		return rd_kafka_producev(producer, RD_KAFKA_V_TOPIC("tombs"), RD_KAFKA_V_PARTITION(0),
								 RD_KAFKA_V_KEY(key, KEY_BYTES), RD_KAFKA_V_VALUE(NULL, 0),
								 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR__QUEUE_FULL;
	if (partition == -2)
	{
		/* a NUL within a header's value, before its last digit */
		tenant_len = snprintf(tenant, sizeof(tenant), "1%c%d", '\0', n % 7);
		topic = "tombs";
		partition = 0;
	}
	else if (partition < 0)
		partition = n % 4;
	return rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic),
							 RD_KAFKA_V_PARTITION(partition),
							 RD_KAFKA_V_VALUE(payload, len), RD_KAFKA_V_HEADER("tenant_id", tenant, tenant_len),
							 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END) != RD_KAFKA_RESP_ERR__QUEUE_FULL;
}

int
main(void)
{
	rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(make_client(NULL), 1);
	const char *servers = rd_kafka_mock_cluster_bootstraps(cluster);
	rd_kafka_t *producer;
	int			count;
	int			partition;
	int			n = 0;

	rd_kafka_mock_topic_create(cluster, "mail", 4, 1);
	rd_kafka_mock_topic_create(cluster, "tombs", 1, 1);
	producer = make_client(servers);
	printf("%s\n", servers);
	fflush(stdout);
	while (scanf("%d %d", &count, &partition) == 2)
	{
		for (int i = 0; i < count; i++)
		{
			n++;
			while (!produce(producer, n, partition))
				rd_kafka_poll(producer, 10);
			rd_kafka_poll(producer, 0);
		}
		rd_kafka_flush(producer, 30000);
		printf(failed ? "failed\n" : "done\n");
		fflush(stdout);
	}
	return failed;
}
