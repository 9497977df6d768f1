/*
 * url_summary.c
 *		Where all URLs and links of a message lead together; see facts.h.
 *
 * Plain C: usable outside of the server, which gives it room.
 */
#include <string.h>

#include "ascii.h"
#include "domain.h"
#include "facts.h"

/* Recipients whose addresses are looked for, and how long these may be */
#define RECIPIENTS_MAX	8
#define ADDRESS_BYTES	128

/* Shortest address that is worth a look */
#define ADDRESS_LEAST	6

/* Forms of an address: as it is, with an escaped @, hexadecimal, three of Base64 */
#define FORMS_OF_ONE	6

/* ---- distinct strings ------------------------------------------------------------ */

static void
StringSetBegin(StringSet *set, const FactRoom *room, int max)
{
	size_t		slots = 16;

	while (slots < 2 * (size_t) max)
		slots *= 2;
	set->n = 0;
	set->max = max;
	set->mask = slots - 1;
	set->strings = room->alloc(sizeof(char *) * (max > 0 ? max : 1));
	set->slots = room->alloc(sizeof(int) * slots);
	memset(set->slots, 0, sizeof(int) * slots);
}

/* FNV-1a, whose upper bits are better than the lower */
static uint32_t
HashString(const char *string)
{
	uint64_t	hash = UINT64_C(0xCBF29CE484222325);

	for (; *string != '\0'; string++)
		hash = (hash ^ (unsigned char) *string) * UINT64_C(0x100000001B3);
	return hash >> 32 ^ hash;
}

/* The string's index; *is_new tells whether it wasn't there */
static int
StringSetAdd(StringSet *set, const FactRoom *room, const char *string, bool *is_new)
{
	uint32_t	slot = HashString(string) & set->mask;

	while (set->slots[slot] != 0 && strcmp(set->strings[set->slots[slot] - 1], string) != 0)
		slot = (slot + 1) & set->mask;
	*is_new = set->slots[slot] == 0;
	if (*is_new)
	{
		size_t		size = strlen(string) + 1;

		set->strings[set->n++] = memcpy(room->alloc(size), string, size);
		set->slots[slot] = set->n;
	}
	return set->slots[slot] - 1;
}

/* ---- recipients -------------------------------------------------------------------- */

static void
AddForm(AddressForms *forms, const FactRoom *room, const char *bytes, size_t len, bool coded)
{
	AddressForm *form = &forms->forms[forms->n];

	if (len < ADDRESS_LEAST)
		return;
	form->bytes.data = memcpy(room->alloc(len), bytes, len);
	form->bytes.len = len;
	form->coded = coded;
	forms->n++;
}

/*
 * The address in Base64, as it stands at one of three places among other bytes:
 * the characters that depend on these are left out.
 */
static void
AddBase64(AddressForms *forms, const FactRoom *room, const char *address, size_t len, int place)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char		made[ADDRESS_BYTES * 2];
	size_t		n = 0;

	/* bit by bit: each six that lie in the address as a whole */
	for (size_t bit = (6 - place * 8 % 6) % 6; bit + 6 <= len * 8; bit += 6)
	{
		unsigned	pair = (unsigned char) address[bit / 8] << 8;

		if (bit / 8 + 1 < len)
			pair |= (unsigned char) address[bit / 8 + 1];
		made[n++] = digits[pair >> (10 - bit % 8) & 63];
	}
	AddForm(forms, room, made, n, true);
}

/* What an address looks like in a URL; addresses are in lower case there, or as they came */
static void
AddForms(AddressForms *forms, const FactRoom *room, FactSpan address)
{
	const char *at = memchr(address.data, '@', address.len);
	char		made[ADDRESS_BYTES * 2];
	size_t		n = 0;
	size_t		before;

	if (at == NULL || address.len > ADDRESS_BYTES - 2 || address.len < ADDRESS_LEAST)
		return;
	AddForm(forms, room, address.data, address.len, false);
	before = at - address.data;
	memcpy(made, address.data, before);
	memcpy(made + before, "%40", 3);
	memcpy(made + before + 3, at + 1, address.len - before - 1);
	AddForm(forms, room, made, address.len + 2, false);
	for (size_t i = 0; i < address.len; i++)
	{
		made[n++] = "0123456789abcdef"[(unsigned char) address.data[i] >> 4];
		made[n++] = "0123456789abcdef"[address.data[i] & 15];
	}
	AddForm(forms, room, made, n, true);
	for (int place = 0; place < 3; place++)
		AddBase64(forms, room, address.data, address.len, place);
}

/* Is it there, without regard to case? */
static bool
IsInAnyCase(FactSpan form, FactSpan in)
{
	for (size_t from = 0; from + form.len <= in.len; from++)
	{
		size_t		i = 0;

		while (i < form.len && Lower(in.data[from + i]) == Lower(form.data[i]))
			i++;
		if (i == form.len)
			return true;
	}
	return false;
}

/* Is it there just so? */
static bool
IsIn(FactSpan form, FactSpan in)
{
	const char *p = in.data;

	if (in.len < form.len)
		return false;
	while ((p = memchr(p, form.data[0], in.data + in.len - form.len + 1 - p)) != NULL)
	{
		if (memcmp(p, form.data, form.len) == 0)
			return true;
		p++;
	}
	return false;
}

/* Does a URL tell who it was sent to? */
static bool
HasRecipient(const UrlSummary *s, const UrlParts *u)
{
	for (int i = 0; i < s->recipients.n; i++)
	{
		const AddressForm *form = &s->recipients.forms[i];

		if (form->coded ? IsIn(form->bytes, u->behind) : u->has_address && IsInAnyCase(form->bytes, u->behind))
			return true;
	}
	return false;
}

/* ---- URLs -------------------------------------------------------------------------- */

/* A summary of at most max URLs; the sender is a canonical host, or NULL */
void
UrlSummaryBegin(UrlSummary *s, const FactRoom *room, int max, const char *sender,
				const FactSpan *recipients, int nrecipients)
{
	int			n = nrecipients < RECIPIENTS_MAX ? nrecipients : RECIPIENTS_MAX;

	memset(s, 0, sizeof(*s));
	s->room = room;
	s->sender = sender != NULL ? Organization(sender) : NULL;
	StringSetBegin(&s->hosts, room, max);
	StringSetBegin(&s->domains, room, max);
	StringSetBegin(&s->redirects, room, max);
	s->domain_of = room->alloc(sizeof(char *) * (max > 0 ? max : 1));
	s->recipients.forms = room->alloc(sizeof(AddressForm) * FORMS_OF_ONE * (n > 0 ? n : 1));
	for (int i = 0; i < n; i++)
		if (recipients[i].data != NULL)
			AddForms(&s->recipients, room, recipients[i]);
}

/* Of a URL's host, which may be an address */
static const char *
HostIdentity(const UrlParts *u)
{
	return u->is_address ? u->host : Organization(u->host);
}

/* Does it lead to a host?  A bare name does if it can't be a file's. */
static bool
HasHost(const UrlParts *u)
{
	const char *dot = strrchr(u->host, '.');

	if (u->host[0] == '\0')
		return false;
	return !u->bare || u->is_address || (dot != NULL && IsTopLevelDomain(dot + 1));
}

/* Count what a host shows; its index among the distinct ones */
static int
AddHost(UrlSummary *s, const UrlParts *u)
{
	bool		is_new;
	int			at = StringSetAdd(&s->hosts, s->room, u->host, &is_new);
	int32_t		length = strlen(u->host);
	int32_t		labels = 1;
	const char *domain;

	if (!is_new)
		return at;
	s->domain_of[at] = NULL;
	if (length > s->counts.longest_host)
		s->counts.longest_host = length;
	if (u->is_address)
		return at;
	for (const char *p = u->host; *p != '\0'; p++)
		labels += *p == '.';
	if (labels > s->counts.labels)
		s->counts.labels = labels;
	domain = RegistrableDomain(u->host);
	if (domain == NULL)
		return at;
	s->domain_of[at] = s->domains.strings[StringSetAdd(&s->domains, s->room, domain, &is_new)];
	if (is_new && s->sender != NULL && strcmp(domain, s->sender) != 0)
		s->counts.foreign++;
	return at;
}

/* A URL in a URL: where it leads in the end */
static void
AddNested(UrlSummary *s, const UrlParts *u, const char *identity)
{
	UrlParts	inner;
	const char *leads;
	bool		is_new;

	s->counts.nested++;
	if (!UrlNested(u, &inner))
		return;
	leads = HostIdentity(&inner);
	if (strcmp(leads, identity) == 0)
		return;
	s->counts.redirects++;
	if (s->redirects.n < s->redirects.max)
		StringSetAdd(&s->redirects, s->room, leads, &is_new);
}

static void
AddUrl(UrlSummary *s, FactSpan url)
{
	UrlCounts  *c = &s->counts;
	UrlParts	u;
	int32_t		characters = 0;
	const char *identity;

	for (size_t i = 0; i < url.len; i++)
		characters += (url.data[i] & 0xC0) != 0x80;
	c->urls++;
	if (characters > c->longest)
		c->longest = characters;
	UrlParse(url.data, url.len, &u);
	if (!HasHost(&u))
		return;
	identity = s->domain_of[AddHost(s, &u)];
	if (identity == NULL)
		identity = u.host;
	if (s->sender != NULL && strcmp(identity, s->sender) == 0)
		c->of_sender++;
	c->ip += u.is_address;
	c->punycode += strncmp(u.host, "xn--", 4) == 0 || strstr(u.host, ".xn--") != NULL;
	c->userinfo += u.userinfo;
	c->port += u.port;
	c->odd += u.odd;
	c->insecure += u.scheme == URL_HTTP && !u.bare;
	c->email += u.has_address;
	c->recipient += s->recipients.n > 0 && HasRecipient(s, &u);
	if (u.has_url)
		AddNested(s, &u, identity);
}

/* Read all URLs, of which there are as many as was said at most. */
void
UrlSummaryAdd(UrlSummary *s, const FactSpan *urls, int n)
{
	for (int i = 0; i < n; i++)
	{
		s->room->check();
		if (urls[i].data != NULL)
			AddUrl(s, urls[i]);
	}
}

/* ---- links ------------------------------------------------------------------------- */

static bool
IsBlankSpan(FactSpan span)
{
	for (size_t i = 0; i < span.len; i++)
		if ((unsigned char) span.data[i] > ' ')
			return false;
	return true;
}

/* A link, and its text if that is known */
static void
AddLink(UrlSummary *s, FactSpan href, const FactSpan *shown)
{
	UrlCounts  *c = &s->counts;
	UrlParts	to;
	UrlParts	says;

	c->links++;
	UrlParse(href.data, href.len, &to);
	c->mailto += to.scheme == URL_MAILTO;
	c->phone += to.scheme == URL_PHONE;
	c->script += to.scheme == URL_SCRIPT;
	if (shown == NULL)
		return;
	c->empty_texts += IsBlankSpan(*shown);
	if (!UrlShown(shown->data, shown->len, IsTopLevelDomain, &says))
		return;
	c->url_texts++;
	c->mismatches += HasHost(&to) && strcmp(HostIdentity(&to), HostIdentity(&says)) != 0;
}

/* Read all links of HTML; their texts stand beside them, as far as there are some. */
void
UrlSummaryLinks(UrlSummary *s, const FactSpan *hrefs, int nhrefs, const FactSpan *texts, int ntexts)
{
	for (int i = 0; i < nhrefs; i++)
	{
		s->room->check();
		if (hrefs[i].data != NULL)
			AddLink(s, hrefs[i], i < ntexts && texts[i].data != NULL ? &texts[i] : NULL);
	}
}
