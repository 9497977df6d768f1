/*
 * stream.h
 *	  What the parts of the client program assay_stream share.
 *
 * The way of the data: a source (stream_stdin.c, stream_kafka.c, stream_lmtp.c) appends items
 * to a batch; stream_batch.c makes rows of them, by the code of assay_load, and
 * commits them together with the place in the source that they reach to;
 * stream_status.c tells how it goes.
 */
#ifndef ASSAY_STREAM_H
#define ASSAY_STREAM_H

#include <libpq-fe.h>

#include "assay_load.h"

/* A batch is sent when it has --batch-size items, or this many bytes */
#define MAX_BATCH_BYTES	(32 * 1024 * 1024)

/* The largest message by LMTP: the client holds on to it meanwhile */
#define MAX_LMTP_MESSAGE	((size_t) 100 * 1024 * 1024)

/* A partition of a topic: its messages come in the order of their offsets */
typedef struct Part
{
	char	   *topic;
	int			part;
	int64_t		next;			/* where the fence stands, as far as is known */
	int64_t		taken;			/* what the source gives next */
	bool		mine;			/* assigned to this instance */
	int			epoch;			/* counts assignments and moves back */
	int64_t		start;			/* of a fence that there was not yet */
	int64_t		base;			/* from where the transaction at work moves
								 * the fence */
	int64_t		reach;			/* and where to, -1 if it doesn't */
} Part;

typedef enum ItemState
{
	ITEM_PENDING, ITEM_SETTLED, ITEM_DROPPED
} ItemState;

/*
 * A message as it came, and what became of it.  A mark is none: it stands for
 * what has an offset and says nothing, and moves the fence over that.
 */
typedef struct Item
{
	Part	   *part;
	int64_t		offset;
	bool		mark;			/* nothing is to be read up to its offset */
	char	   *data;			/* NUL behind it */
	size_t		len;
	int64_t		size;			/* true size where data was cut, else len */
	int64_t		time;			/* when it was sent, in microseconds */
	GPtrArray  *headers;		/* names and values in turns, or NULL */
	int			epoch;			/* of its part, when it was taken */
	ItemState	state;
	bool		chosen;			/* is in the transaction at work */
	size_t		row;			/* its row in the batch's bytes */
	size_t		row_len;
	char	   *error;			/* why it is a dead letter, or NULL */
	char	   *sqlstate;		/* where the server refused it */
	void	   *ticket;			/* of who waits for it, or NULL */
} Item;

typedef struct Batch
{
	GPtrArray  *items;
	guint		marks;			/* of these, no messages */
	guint		encoded;		/* items that are rows already */
	GByteArray *rows;
	size_t		bytes;			/* of the items */
	int64_t		since;			/* when its first message came, or else its
								 * first mark, monotonic */
} Batch;

/* Where messages come from */
typedef struct Source
{
	void		(*open) (void);
	bool		(*read) (Batch *b, int timeout);	/* false at the end */
	bool		(*first) (Part *part);	/* where a part without a fence
										 * begins, into its start; false if
										 * unknown */
	void		(*settled) (const Item *item);	/* committed, or a dead letter */
	bool		(*wanted) (const Item *item);	/* does who sent it still
												 * wait? */
	void		(*forget) (Item *item); /* it is freed, and so its ticket */
	void		(*idle) (void); /* called again and again while the server is
								 * away */
	void		(*rewound) (Part *part);	/* the fence was moved back */
	int64_t		(*lag) (void);	/* messages that wait, -1 if unknown */
	void		(*count) (void);	/* what it counts itself, into stats */
	void		(*close) (void);
	bool		numbers_itself; /* offsets are made here, not the feeder's */
	bool		keeps_nothing;	/* and mean nothing to who sends */
} Source;

typedef struct StreamOptions
{
	const char *group;
	const char *topic;
	int			part;
	const char *instance;
	bool		static_member;	/* it was named, and keeps its partitions */
	const char *payload;		/* auto, mail, base64, json */
	const char *framing;		/* of standard input: frames, lines, or NULL */
	const char *lmtp;			/* [ADDRESS:]PORT, or NULL */
	int			patience;		/* seconds that its clients wait */
	bool		offsets;		/* frames say theirs */
	int64_t		first;			/* offset of the first, -1 for what is next */
	int			linger;			/* milliseconds until a batch is sent, -1 for
								 * what suits the source */
	int			max_dead;		/* in a row */
	const char *metrics;		/* [ADDRESS:]PORT, or NULL */
	GPtrArray  *properties;		/* of librdkafka, name=value */
	const char *properties_file;	/* more of them, or NULL */
} StreamOptions;

/* Counted since the start */
typedef struct StreamStats
{
	int64_t		loaded;
	int64_t		dead;
	int64_t		skipped;		/* were committed before */
	int64_t		bytes;
	int64_t		batches;
	int64_t		batch_usecs;	/* from sending to its commit, all together */
	int64_t		last_usecs;
	int64_t		fenced;
	int64_t		retries;
	int64_t		connects;
	int64_t		lag;
	int64_t		waiting;		/* items in batches */
	bool		away;			/* there is no server */
	int			clients;		/* of LMTP: now, and messages that were put */
	int			put_off;		/* off, or refused for good */
	int			turned_away;
} StreamStats;

/* stream_state.c */
extern StreamOptions stream_options;
extern const Source *source;
extern bool stream_failed;		/* the exit code is to say so */
extern StreamStats stats;

/* To be called while waiting; server: nothing is at work on the connection */
extern void (*stream_tick) (bool server);

/* stream_batch.c */
extern void batch_connect(void);
extern Batch *batch_new(void);
extern void batch_add(Batch *b, Item *item);
extern bool batch_full(const Batch *b);
extern void batch_encode(Batch *b);
extern void batch_send(Batch *b);
extern bool batch_ready(void);
extern int	batch_socket(void);
extern void batch_finish(void);
extern Part *part_find(const char *topic, int part);
extern const GPtrArray *batch_parts(void);
extern void parts_read(void);
extern PGresult *batch_query(const char *sql, int nparams, const char *const *params);
extern const char *batch_schema(void);
extern void batch_disconnect(void);
extern void item_free(gpointer p);

/* stream_item.c */
extern bool item_encode(Item *item, GByteArray *rows);
extern char *item_headers_json(const Item *item);

/* stream_status.c */
extern void status_start(void);
extern void status_tick(bool server);
extern void status_stop(void);

/* stream_stdin.c */
extern const Source stdin_source;
extern const Source stdin_numbering_source;

/* stream_kafka.c */
extern const Source kafka_source;

/* stream_lmtp.c */
extern const Source lmtp_source;

/* stream_listen.c */
extern int	stream_listen(const char *option, const char *where);

#endif							/* ASSAY_STREAM_H */
