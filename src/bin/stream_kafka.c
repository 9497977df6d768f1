/*
 * stream_kafka.c
 *	  Messages from topics of Kafka, by librdkafka.
 *
 * Kafka's own offsets are not used: where a partition goes on is what the fence
 * in the database says.  The group only shares out partitions.  Each one that
 * is assigned begins a new epoch, in which what was taken before counts nothing:
 * neither in a batch, nor in the stash of what came while the server was away.
 *
 * Not all offsets are of messages: there are tombstones, which have no bytes,
 * markers of transactions, which librdkafka keeps to itself, and gaps that
 * compaction left.  Marks move the fence over them, or it would stay before the
 * last of them, where one day there is nothing any more.
 */
#ifdef HAVE_RDKAFKA
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <librdkafka/rdkafka.h>

#include "stream.h"

#define WATERMARK_MS	10000

static rd_kafka_t *consumer;
static GQueue stash = G_QUEUE_INIT; /* items that came while the server was
									 * away */
static bool paused;
static bool in_callback;
static int64_t last_complaint;

/* ---- partitions ------------------------------------------------------------- */

/* Hold back, or let come again, all that is assigned */
static void
pause_all(bool pause)
{
	rd_kafka_topic_partition_list_t *list;

	if (rd_kafka_assignment(consumer, &list) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	if (pause)
		rd_kafka_pause_partitions(consumer, list);
	else
		rd_kafka_resume_partitions(consumer, list);
	rd_kafka_topic_partition_list_destroy(list);
	paused = pause;
}

/* A partition that is new to the group begins with the oldest message there is */
static bool
kafka_first(Part *p)
{
	int64_t		low;
	int64_t		high;
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;

	for (int attempt = 0; attempt < 5; attempt++)
	{
		err = rd_kafka_query_watermark_offsets(consumer, p->topic, p->part, &low, &high, WATERMARK_MS);
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		{
			p->start = MAX(low, 0);
			return true;
		}
	}
	report("kafka: %s", rd_kafka_err2str(err));
	return false;
}

/* Partitions come: each goes on where its fence stands */
static void
take_partitions(rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++)
	{
		Part	   *p = part_find(list->elems[i].topic, list->elems[i].partition);

		p->next = p->taken = -1;
		p->epoch++;
		p->mine = true;
	}
	parts_read();
	for (int i = 0; i < list->cnt; i++)
		list->elems[i].offset = part_find(list->elems[i].topic, list->elems[i].partition)->next;
}

static void
drop_partitions(const rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++)
		part_find(list->elems[i].topic, list->elems[i].partition)->mine = false;
}

/* What is assigned changes: the batch on its way comes to its end before that */
static void
rebalance(rd_kafka_t *rk, rd_kafka_resp_err_t err, rd_kafka_topic_partition_list_t *list, void *unused)
{
	bool		cooperative = g_strcmp0(rd_kafka_rebalance_protocol(rk), "COOPERATIVE") == 0;
	bool		assign = err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;

	in_callback = true;
	batch_finish();
	if (assign)
		take_partitions(list);
	else
		drop_partitions(list);
	if (cooperative)
		rd_kafka_error_destroy(assign ? rd_kafka_incremental_assign(rk, list) :
							   rd_kafka_incremental_unassign(rk, list));
	else
		rd_kafka_assign(rk, assign ? list : NULL);
	/* those that stay may be paused, new ones not, or the other way round */
	if (assign)
		pause_all(paused);
	in_callback = false;
}

/* The fence was moved back: read again from there */
static void
kafka_rewound(Part *p)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_error_t *error;

	rd_kafka_topic_partition_list_add(list, p->topic, p->part)->offset = p->next;
	error = rd_kafka_seek_partitions(consumer, list, WATERMARK_MS);
	if (error != NULL || list->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
		fatal_retry("could not go back to offset %" PRId64 " of topic \"%s\", part %d: %s", p->next, p->topic, p->part,
					error != NULL ? rd_kafka_error_string(error) : rd_kafka_err2str(list->elems[0].err));
	rd_kafka_topic_partition_list_destroy(list);
}

/* ---- the end ----------------------------------------------------------------- */

static int64_t
kafka_lag(void)
{
	const GPtrArray *parts = batch_parts();
	int64_t		lag = -1;

	for (guint i = 0; consumer != NULL && parts != NULL && i < parts->len; i++)
	{
		const Part *p = parts->pdata[i];
		int64_t		low;
		int64_t		high;

		if (p->mine && rd_kafka_get_watermark_offsets(consumer, p->topic, p->part, &low, &high) ==
			RD_KAFKA_RESP_ERR_NO_ERROR && high >= 0)
			lag = MAX(lag, 0) + MAX(high - p->next, 0);
	}
	return lag;
}

/* Leave the group; a static member keeps its partitions for a while */
static void
kafka_close(void)
{
	if (consumer == NULL)
		return;
	/* the last that is told of it */
	stats.lag = kafka_lag();
	g_queue_clear_full(&stash, item_free);
	if (in_callback)
		return;
	rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	consumer = NULL;
}

/* ---- messages --------------------------------------------------------------- */

/* An error: the end, or something that passes, told once in ten seconds */
static void
complain(rd_kafka_resp_err_t err, const char *text)
{
	switch (err)
	{
		case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:

			/*
			 * messages are gone, or the topic was made anew: not to be passed
			 * over in silence
			 */
			kafka_close();
			report("hint: to go on all the same, set \"next\" in the table assay_offset");
			fatal("what comes next is not there: %s", text);
		case RD_KAFKA_RESP_ERR__FATAL:
		case RD_KAFKA_RESP_ERR__AUTHENTICATION:
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
			fatal("%s", text);
		default:
			if (last_complaint != 0 && g_get_monotonic_time() - last_complaint < 10000000)
				return;
			last_complaint = g_get_monotonic_time();
			report("kafka: %s", text);
	}
}

/* What befalls the client as a whole; librdkafka tries again by itself */
static void
handle_error(rd_kafka_t *rk, int err, const char *reason, void *unused)
{
	char		reason_text[512];

	if (err == RD_KAFKA_RESP_ERR__FATAL)
		err = rd_kafka_fatal_error(rk, reason_text, sizeof(reason_text));
	else
		g_strlcpy(reason_text, reason, sizeof(reason_text));
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		complain(err, reason_text);
}

/* What librdkafka has to say; errors come to handle_error(), too */
static void
handle_log(const rd_kafka_t *rk, int level, const char *facility, const char *line)
{
	if (strcmp(facility, "FAIL") != 0 && strcmp(facility, "ERROR") != 0)
		report("kafka: %s: %s", facility, line);
}

/* A header's value as a string; NULs are left out, as in all that is text here */
static char *
header_value(const char *value, size_t size)
{
	char	   *s = g_malloc(size + 1);
	size_t		n = 0;

	for (size_t i = 0; i < size; i++)
		if (value[i] != '\0')
			s[n++] = value[i];
	s[n] = '\0';
	return s;
}

/* Names and values of a message's headers, in turns; NULL where there are none */
static GPtrArray *
take_headers(const rd_kafka_message_t *m)
{
	rd_kafka_headers_t *headers;
	GPtrArray  *list = NULL;
	const char *header;
	const void *value;
	size_t		size;

	if (rd_kafka_message_headers(m, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return NULL;
	for (size_t i = 0; rd_kafka_header_get_all(headers, i, &header, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
	{
		if (value == NULL)
			continue;
		if (list == NULL)
			list = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(list, g_strdup(header));
		g_ptr_array_add(list, header_value(value, size));
	}
	return list;
}

/*
 * What came as an item, or NULL where it is no concern of ours.  A tombstone
 * says nothing, and is a mark; so is the end of a partition, where what comes
 * next has an offset that may lie beyond the last message's by any number.
 */
static Item *
make_item(const rd_kafka_message_t *m)
{
	static Part *p = NULL;
	bool		end = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
	rd_kafka_timestamp_type_t type;
	Item	   *item;
	int64_t		ms;

	/* as a rule many of a partition come one after the other */
	if (p == NULL || p->part != m->partition || strcmp(p->topic, rd_kafka_topic_name(m->rkt)) != 0)
		p = part_find(rd_kafka_topic_name(m->rkt), m->partition);
	if (!p->mine)
		return NULL;
	item = g_new0(Item, 1);
	item->part = p;
	item->epoch = p->epoch;
	item->offset = end ? m->offset - 1 : m->offset;
	item->mark = end || m->payload == NULL;
	if (item->mark)
		return item;
	item->size = m->len;
	item->len = MIN(m->len, options.max_message);
	item->data = g_malloc(item->len + 1);
	memcpy(item->data, m->payload, item->len);
	item->data[item->len] = '\0';
	ms = rd_kafka_message_timestamp(m, &type);
	item->time = type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && ms > 0 && ms < INT64_MAX / 1000 ?
		ms * 1000 : g_get_real_time();
	item->headers = take_headers(m);
	return item;
}

/* What comes next, if it is a message; sets *any where there was anything */
static Item *
poll_item(int timeout, bool *any)
{
	rd_kafka_message_t *m = rd_kafka_consumer_poll(consumer, timeout);
	rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
	char	   *reason = NULL;
	Item	   *item = NULL;

	*any = m != NULL;
	if (m == NULL)
		return NULL;
	if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR || m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
		item = make_item(m);
	else
	{
		err = m->err;
		reason = g_strdup(rd_kafka_message_errstr(m));
	}
	/* the client can't be left with a message in the hand */
	rd_kafka_message_destroy(m);
	if (reason != NULL)
		complain(err, reason);
	g_free(reason);
	return item;
}

/* Into the batch, unless its partition was given away or moved back since, or it was there */
static void
take_item(Batch *b, Item *item)
{
	if (item->part->mine && item->epoch == item->part->epoch && item->offset >= item->part->taken)
		batch_add(b, item);
	else
		item_free(item);
}

/* Poll until the batch is full or nothing is there */
static bool
kafka_read(Batch *b, int timeout)
{
	bool		any = true;

	if (paused)
		pause_all(false);
	while (any && !batch_full(b) && !interrupted)
	{
		Item	   *item = g_queue_pop_head(&stash);

		if (item == NULL)
			item = poll_item(timeout, &any);
		if (item != NULL)
			take_item(b, item);
		timeout = 0;
	}
	return true;
}

/* The server is away: hold back what comes, but stay in the group */
static void
kafka_idle(void)
{
	Item	   *item;
	bool		any;

	if (in_callback || consumer == NULL)
		return;
	if (!paused)
		pause_all(true);
	item = poll_item(0, &any);
	if (item != NULL)
		g_queue_push_tail(&stash, item);
}

/* ---- the client ------------------------------------------------------------- */

static void
set_property(rd_kafka_conf_t *conf, const char *key, const char *value)
{
	char		error[512];

	if (rd_kafka_conf_set(conf, key, value, error, sizeof(error)) != RD_KAFKA_CONF_OK)
		fatal("%s", error);
}

/* "name=value", from -X */
static void
set_pair(rd_kafka_conf_t *conf, const char *pair)
{
	char	  **parts = g_strsplit(pair, "=", 2);

	set_property(conf, g_strstrip(parts[0]), g_strstrip(parts[1]));
	g_strfreev(parts);
}

/* A line each, as other clients of Kafka have it: passwords needn't stand in a command */
static void
set_from_file(rd_kafka_conf_t *conf, const char *path)
{
	char	   *text;
	char	  **lines;
	GError	   *error = NULL;

	if (!g_file_get_contents(path, &text, NULL, &error))
		fatal("could not read --properties: %s", error->message);
	lines = g_strsplit(text, "\n", 0);
	for (int i = 0; lines[i] != NULL; i++)
	{
		char	   *line = g_strstrip(lines[i]);

		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (line[0] == '=' || strchr(line, '=') == NULL)
			fatal("line %d of \"%s\" must be NAME=VALUE", i + 1, path);
		set_pair(conf, line);
	}
	g_strfreev(lines);
	g_free(text);
}

/* The user's properties, between what may be changed and what may not */
static rd_kafka_conf_t *
make_conf(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set_property(conf, "client.id", progname);
	set_property(conf, "queued.max.messages.kbytes", "65536");
	set_property(conf, "fetch.wait.max.ms", "50");
	if (stream_options.static_member)
		set_property(conf, "group.instance.id", stream_options.instance);
	if (stream_options.properties_file != NULL)
		set_from_file(conf, stream_options.properties_file);
	for (guint i = 0; i < stream_options.properties->len; i++)
		set_pair(conf, stream_options.properties->pdata[i]);
	set_property(conf, "group.id", stream_options.group);
	set_property(conf, "enable.auto.commit", "false");
	set_property(conf, "enable.auto.offset.store", "false");
	set_property(conf, "auto.offset.reset", "error");
	set_property(conf, "enable.partition.eof", "true");
	rd_kafka_conf_set_rebalance_cb(conf, rebalance);
	rd_kafka_conf_set_error_cb(conf, handle_error);
	/* logs come when it is polled, not from its threads */
	set_property(conf, "log.queue", "true");
	rd_kafka_conf_set_log_cb(conf, handle_log);
	return conf;
}

static void
kafka_open(void)
{
	char		error[512];
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	char	  **topics = g_strsplit(stream_options.topic, ",", 0);
	rd_kafka_resp_err_t err;

	consumer = rd_kafka_new(RD_KAFKA_CONSUMER, make_conf(), error, sizeof(error));
	if (consumer == NULL)
		fatal("%s", error);
	rd_kafka_poll_set_consumer(consumer);
	rd_kafka_set_log_queue(consumer, NULL);
	for (int i = 0; topics[i] != NULL; i++)
		rd_kafka_topic_partition_list_add(list, topics[i], RD_KAFKA_PARTITION_UA);
	err = rd_kafka_subscribe(consumer, list);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		fatal("could not subscribe to \"%s\": %s", stream_options.topic, rd_kafka_err2str(err));
	rd_kafka_topic_partition_list_destroy(list);
	g_strfreev(topics);
}

const Source kafka_source = {
	.open = kafka_open,.read = kafka_read,.first = kafka_first,.idle = kafka_idle,.rewound = kafka_rewound,
	.lag = kafka_lag,.close = kafka_close,
};
#endif
