/*
 * stream_stash.c
 *		What Kafka hands over while the server is away, and partitions are given
 *		away and come back meanwhile: nothing of it is lost or taken twice.
 *		A broker can't be made to hand messages over at such a moment, so that
 *		librdkafka is one of this file's own here.  Run by t/stream_stash.pl.
 */
#include <stdio.h>
#include <stdlib.h>
#include <librdkafka/rdkafka.h>

#define HAVE_RDKAFKA
#include "../src/bin/stream.h"

/* ---- librdkafka ---------------------------------------------------------------- */

/* What a poll gives: a message, or a change of what is assigned, during the poll */
typedef enum StepKind
{
	STEP_MESSAGE, STEP_TOMBSTONE, STEP_EOF, STEP_ASSIGN, STEP_REVOKE
} StepKind;

typedef struct Step
{
	StepKind	kind;
	int64_t		offset;
} Step;

static const Step *steps;
static int64_t fence;			/* of the only partition, in the database */

static void assignment_changes(rd_kafka_resp_err_t what);

static rd_kafka_message_t *
fake_poll(rd_kafka_t *rk, int timeout)
{
	const Step *step = steps;
	rd_kafka_message_t *m;

	(void) rk;
	(void) timeout;
	if (step->offset < 0)
		return NULL;
	steps++;
	if (step->kind == STEP_ASSIGN || step->kind == STEP_REVOKE)
	{
		assignment_changes(step->kind == STEP_ASSIGN ? RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS :
						   RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS);
		return NULL;
	}
	m = g_new0(rd_kafka_message_t, 1);
	m->offset = step->offset;
	m->err = step->kind == STEP_EOF ? RD_KAFKA_RESP_ERR__PARTITION_EOF : RD_KAFKA_RESP_ERR_NO_ERROR;
	m->payload = step->kind == STEP_MESSAGE ? "{}" : NULL;
	m->len = step->kind == STEP_MESSAGE ? 2 : 0;
	return m;
}

static rd_kafka_resp_err_t
fake_assignment(rd_kafka_t *rk, rd_kafka_topic_partition_list_t **list)
{
	(void) rk;
	*list = rd_kafka_topic_partition_list_new(1);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* What has no say here */
#define rd_kafka_consumer_poll			fake_poll
#define rd_kafka_assignment				fake_assignment
#define rd_kafka_message_destroy(m)		g_free(m)
#define rd_kafka_message_headers(m, h)	((void) (m), (void) (h), RD_KAFKA_RESP_ERR__NOENT)
#define rd_kafka_message_timestamp(m, t) (*(t) = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE, (int64_t) -1)
#define rd_kafka_topic_name(t)			((void) (t), "mail")
#define rd_kafka_pause_partitions(rk, l) ((void) (l))
#define rd_kafka_resume_partitions(rk, l) ((void) (l))
#define rd_kafka_rebalance_protocol(rk)	((void) (rk), "EAGER")
#define rd_kafka_assign(rk, l)			((void) (l))
#include "../src/bin/stream_kafka.c"

static void
assignment_changes(rd_kafka_resp_err_t what)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

	rd_kafka_topic_partition_list_add(list, "mail", 0);
	rebalance(NULL, what, list, NULL);
	rd_kafka_topic_partition_list_destroy(list);
}

/* ---- the batch ------------------------------------------------------------------- */

static Part part = {.topic = "mail",.next = -1,.taken = -1};
static GString *taken;			/* offsets in the batch, with their epoch */
static guint room = 1000;

Options		options = {.max_message = 1000};
StreamOptions stream_options;
StreamStats stats;
const char *progname = "stream_stash";
volatile sig_atomic_t interrupted = 0;

Part *
part_find(const char *topic, int number)
{
	g_assert(strcmp(topic, "mail") == 0 && number == 0);
	return &part;
}

const GPtrArray *
batch_parts(void)
{
	return NULL;
}

/* As stream_batch.c does it */
void
batch_add(Batch *b, Item *item)
{
	(void) b;
	item->part->taken = item->offset + 1;
	g_string_append_printf(taken, "%s%s%" PRId64, taken->len > 0 ? " " : "", item->mark ? "-" : "", item->offset);
	item_free(item);
	room--;
}

bool
batch_full(const Batch *b)
{
	(void) b;
	return room == 0;
}

void
batch_finish(void)
{
}

/* The fence is read anew */
void
parts_read(void)
{
	part.next = fence;
	part.taken = MAX(part.taken, fence);
}

void
item_free(gpointer p)
{
	Item	   *item = p;

	if (item->headers != NULL)
		g_ptr_array_free(item->headers, TRUE);
	g_free(item->data);
	g_free(item);
}

void
report(const char *fmt,...)
{
	fprintf(stderr, "%s\n", fmt);
}

void
fatal(const char *fmt,...)
{
	fprintf(stderr, "%s\n", fmt);
	exit(1);
}

void
fatal_retry(const char *fmt,...)
{
	fprintf(stderr, "%s\n", fmt);
	exit(1);
}

/* ---- the cases --------------------------------------------------------------------- */

/*
 * The partition comes, with the fence at 0, and 0 to 2 are taken.  Then the
 * server is away for so many polls, after which the fence stands there, and what
 * comes then is read.
 */
static bool
expect(const char *what, const Step *away, int polls, int64_t fence_then, const Step *back, const char *expected)
{
	static const Step before[] = {{STEP_ASSIGN, 0}, {STEP_MESSAGE, 0}, {STEP_MESSAGE, 1}, {STEP_MESSAGE, 2}, {STEP_MESSAGE, -1}};
	bool		good;

	consumer = (rd_kafka_t *) &part;
	g_queue_clear_full(&stash, item_free);
	part.mine = false;
	fence = 0;
	taken = g_string_new(NULL);
	steps = before;
	while (steps->offset >= 0)
		kafka_read(NULL, 0);
	good = strcmp(taken->str, "0 1 2") == 0;
	g_string_truncate(taken, 0);
	steps = away;
	fence = fence_then;
	for (int i = 0; i < polls; i++)
		kafka_idle();
	good &= paused && steps->offset < 0;
	steps = back;
	do
		kafka_read(NULL, 0);
	while (steps->offset >= 0 || stash.length > 0);
	good &= !paused && strcmp(taken->str, expected) == 0;
	if (!good)
		printf("%s: taken is \"%s\", expected \"%s\"\n", what, taken->str, expected);
	g_string_free(taken, TRUE);
	return good;
}

#define END		{STEP_MESSAGE, -1}

int
main(void)
{
	bool		good = true;

	good &= expect("held back, then taken in order",
				   (const Step[]) {{STEP_MESSAGE, 3}, {STEP_MESSAGE, 4}, END}, 3, 0,
				   (const Step[]) {{STEP_MESSAGE, 5}, END}, "3 4 5");
	/* nothing of 0 to 2 was committed, and all of it comes again: 3 must not come before it */
	good &= expect("given away and back, with the fence where it was",
				   (const Step[]) {{STEP_MESSAGE, 3}, {STEP_REVOKE, 0}, {STEP_ASSIGN, 0}, END}, 4, 0,
				   (const Step[]) {{STEP_MESSAGE, 0}, {STEP_MESSAGE, 1}, {STEP_MESSAGE, 2}, {STEP_MESSAGE, 3}, {STEP_MESSAGE, 4}, END},
				   "0 1 2 3 4");
	/* another instance loaded 3 and 4 */
	good &= expect("given away and back, with the fence moved by another",
				   (const Step[]) {{STEP_MESSAGE, 3}, {STEP_REVOKE, 0}, {STEP_ASSIGN, 0}, END}, 4, 5,
				   (const Step[]) {{STEP_MESSAGE, 5}, {STEP_MESSAGE, 6}, END}, "5 6");
	good &= expect("given away for good",
				   (const Step[]) {{STEP_MESSAGE, 3}, {STEP_REVOKE, 0}, END}, 3, 0,
				   (const Step[]) {END}, "");
	good &= expect("comes twice",
				   (const Step[]) {{STEP_MESSAGE, 3}, {STEP_MESSAGE, 3}, END}, 3, 0,
				   (const Step[]) {{STEP_MESSAGE, 2}, {STEP_MESSAGE, 4}, END}, "3 4");
	/* marks: a tombstone, and the end, behind what librdkafka keeps to itself */
	good &= expect("tombstones and the end",
				   (const Step[]) {{STEP_MESSAGE, 3}, {STEP_TOMBSTONE, 4}, {STEP_EOF, 5}, END}, 4, 0,
				   (const Step[]) {{STEP_MESSAGE, 5}, {STEP_EOF, 8}, {STEP_MESSAGE, 8}, {STEP_EOF, 9}, END}, "3 -4 5 -7 8");
	/* the end of before must not be behind what comes again */
	good &= expect("the end, then given away and back",
				   (const Step[]) {{STEP_EOF, 5}, {STEP_REVOKE, 0}, {STEP_ASSIGN, 0}, END}, 4, 0,
				   (const Step[]) {{STEP_MESSAGE, 0}, {STEP_MESSAGE, 1}, {STEP_EOF, 5}, END}, "0 1 -4");
	return good ? 0 : 1;
}
