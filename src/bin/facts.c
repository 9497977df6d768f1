/*
 * facts.c
 *	  What a message shows by itself: the same facts that the server's
 *	  functions find, by the same code.
 */
#include <arpa/inet.h>
#include <string.h>

#include "assay_load.h"
#include "domain.h"
#include "message_facts.h"

/* ---- room for what is found ---------------------------------------------- */

#define CHUNK_BYTES		65536

static GPtrArray *chunks;
static size_t used;				/* of the last chunk */

static void *
room_alloc(size_t size)
{
	char	   *p;

	size = (size + 15) & ~(size_t) 15;
	if (size > CHUNK_BYTES / 4)
	{
		/* one of its own, before the one that is being filled */
		p = g_malloc(size);
		g_ptr_array_insert(chunks, chunks->len - 1, p);
		return p;
	}
	if (used + size > CHUNK_BYTES)
	{
		g_ptr_array_add(chunks, g_malloc(CHUNK_BYTES));
		used = 0;
	}
	p = (char *) chunks->pdata[chunks->len - 1] + used;
	used += size;
	return p;
}

/* A message is short work: what stops it is looked at between two of them */
static void
room_check(void)
{
}

/* All of it back, but for one chunk */
static void
room_reset(void)
{
	if (chunks == NULL)
		chunks = g_ptr_array_new_with_free_func(g_free);
	if (chunks->len > 1)
		g_ptr_array_remove_range(chunks, 0, chunks->len - 1);
	if (chunks->len == 0)
		g_ptr_array_add(chunks, g_malloc(CHUNK_BYTES));
	used = 0;
}

static const FactRoom room = {room_alloc, room_check};

/* ---- whose relay it is ----------------------------------------------------- */

/* Is a host under a domain? */
static bool
is_under(FactSpan host, const char *domain)
{
	size_t		n = strlen(domain);

	return host.len >= n && g_ascii_strncasecmp(host.data + host.len - n, domain, n) == 0 &&
		(host.len == n || host.data[host.len - n - 1] == '.');
}

/* Is a relay in one of the networks of --trusted, or a host under one of its names? */
static bool
is_trusted(const ReceivedHop *hop, void *arg)
{
	unsigned char a[16];
	int			a_len = inet_pton(AF_INET, hop->address, a) == 1 ? 4 :
	inet_pton(AF_INET6, hop->address, a) == 1 ? 16 : 0;

	for (int i = 0; i < options.num_trusted; i++)
	{
		const TrustedNet *net = &options.trusted[i];
		int			bits = net->bits;

		if (net->name != NULL)
		{
			if (is_under(hop->helo, net->name) || is_under(hop->name, net->name))
				return true;
			continue;
		}
		if (net->len != a_len || memcmp(net->addr, a, bits / 8) != 0)
			continue;
		if (bits % 8 == 0 || ((net->addr[bits / 8] ^ a[bits / 8]) >> (8 - bits % 8)) == 0)
			return true;
	}
	return false;
}

/* ---- facts ------------------------------------------------------------------ */

static FactSpan
span_of(const char *s)
{
	FactSpan	span = {s, s != NULL ? strlen(s) : 0};

	return span;
}

static const FactSpan *
spans_of(char **strings, int n)
{
	FactSpan   *spans = room_alloc(sizeof(FactSpan) * MAX(n, 1));

	for (int i = 0; i < n; i++)
		spans[i] = span_of(strings[i]);
	return spans;
}

#define SPANS(array)	spans_of((char **) (array)->pdata, (array)->len)

/* Find the facts, or only the relay where none of them is wanted */
void
facts_fill(Message *m)
{
	static MessageFacts facts;
	MessageInput in = {0};

	room_reset();
	in.received = SPANS(m->received_headers);
	in.nreceived = m->received_headers->len;
	in.trusted = is_trusted;
	in.by_domain = true;
	if (!options.want_facts)
	{
		ReceivedBegin(&facts.received, RegistrableDomain, in.trusted, NULL, in.by_domain);
		for (int i = 0; i < in.nreceived; i++)
			ReceivedAdd(&facts.received, in.received[i].data, in.received[i].len);
	}
	else
	{
		in.auth = SPANS(m->auth_headers);
		in.nauth = m->auth_headers->len;
		in.ids = spans_of((char **) options.authserv_ids, options.num_authserv_ids);
		in.nids = options.num_authserv_ids;
		in.from_addr = span_of(m->from_addr);
		in.from_name = span_of(m->from_name);
		in.reply_to = span_of(m->reply_to);
		in.return_path = span_of(m->return_path);
		in.message_id = span_of(m->message_id);
		in.subject = span_of(m->subject);
		in.body.data = m->body_text->str;
		in.body.len = m->body_text->len;
		in.recipients = SPANS(m->recipients);
		in.nrecipients = m->recipients->len;
		in.urls = SPANS(m->urls);
		in.nurls = m->urls->len;
		in.hrefs = SPANS(m->link_hrefs);
		in.nhrefs = m->link_hrefs->len;
		in.texts = SPANS(m->link_texts);
		in.ntexts = m->link_texts->len;
		MessageFactsFill(&facts, &in, &room);
		m->facts = &facts;
	}
	if (facts.received.at > 0 && m->relay_ip == NULL)
		m->relay_ip = g_strdup(facts.received.hop.address);
}
