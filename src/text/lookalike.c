/*
 * lookalike.c
 *		Domains that pass themselves off as one that is protected.
 *
 * What is compared is the label that somebody registered, "paypal" of
 * www.paypal.co.uk, folded as names are (skeleton.c), its hyphens left out.
 * In the order in which they are tried, a domain is a lookalike by
 *
 *	homoglyph	the label looks the same: paypa1.com
 *	punycode	it looks the same or nearly so in other letters than ASCII
 *	tld			the label is the same, the public suffix is another
 *	edit		it is few edits off, or a hyphen: paypol.com, pay-pal.com
 *	combosquat	the label is part of another: paypal-login.com
 *	label		the label stands below another domain: paypal.com.example.net;
 *				or its parts have changed places
 *
 * A protected domain and all below it are no lookalikes, be they as near to
 * another one as they may.
 */
#include "postgres.h"

#include "array_site.h"
#include "common/hashfn.h"
#include "compat.h"
#include "domain.h"
#include "fmgr.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "name_set.h"
#include "near_sets.h"
#include "port/pg_bitutils.h"
#include "skeleton.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* A label this short is no part of another, whatever the rest is ... */
#define PART_MIN		4

/* ... one this long is, where hyphens or the ends set it off ... */
#define PART_TOKEN_MIN	6

/* ... and this long anywhere */
#define PART_ANY_MIN	8

/* Two edits leave enough of a label of so many letters */
#define TWO_EDITS_MIN	10

/* Shorter labels under another suffix are other people's */
#define TLD_LABEL_MIN	4

/* Labels of a host that are looked into, from the right */
#define LABELS_MAX		8

typedef enum How
{
	HOW_HOMOGLYPH,
	HOW_PUNYCODE,
	HOW_TLD,
	HOW_EDIT,
	HOW_COMBOSQUAT,
	HOW_LABEL
} How;

static const char *const how_names[] = {"homoglyph", "punycode", "tld", "edit", "combosquat", "label"};

typedef struct Protected
{
	text	   *given;
	char	   *domain;			/* canonical and registrable */
	int			label_len;
} Protected;

/* The protected domains of a call site */
typedef struct DomainSet
{
	NearIndex  *index;			/* of their labels */
	Protected  *domains;		/* by number */
	uint32		own_mask;
	int32	   *own;			/* first number by hash of the domain, or -1 */
	int32	   *own_next;
	TupleDesc	desc;
} DomainSet;

/* A label, folded, without hyphens */
typedef struct Label
{
	const char *ascii;
	int			ascii_len;
	bool		plain;			/* all ASCII, when decoded */
	int			len;
	uint32_t	chars[FOLD_CHARS_MAX + 1];
	uint64		edges[(FOLD_CHARS_MAX + 64) / 64];	/* where tokens begin */
	uint64		polynomial[FOLD_CHARS_MAX + 1]; /* of each beginning */
} Label;

/*
 * Words that are put beside a name to make it look official.  They tell a
 * short name's imitations from words that happen to contain it.
 */
static const char *const companions[] = {
	"access", "account", "accounts", "admin", "airdrop", "alert", "alerts", "app", "apps", "auth",
	"bank", "banking", "billing", "bonus", "business", "card", "cards", "care", "cash", "center",
	"chat", "check", "claim", "claims", "client", "cloud", "co", "com", "confirm", "connect",
	"customer", "dapp", "desk", "device", "direct", "email", "event", "events", "exchange", "free",
	"gift", "gifts", "giveaway", "global", "help", "helpdesk", "home", "id", "info", "install", "invoice",
	"live", "login", "logon", "mail", "market", "mint", "mobile", "my", "net", "news", "nft", "nfts",
	"notice", "office", "official", "online", "org", "page", "pass", "password", "pay", "payment",
	"payments", "portal", "pro", "promo", "recover", "recovery", "refund", "register", "reset", "restore",
	"reward", "rewards", "sale", "secure", "secured", "security", "server", "service", "services",
	"shop", "sign", "signin", "signup", "site", "store", "support", "swap", "sync", "team", "the",
	"ticket", "token", "tokens", "track", "tracking", "trade", "trading", "unlock", "update", "updates",
	"user", "users", "validate", "verification", "verified", "verify", "wallet", "wallets", "web",
	"website", "www"
};

/* They, folded, by the first call */
static uint32_t companion_chars[lengthof(companions)][16];
static int	companion_lens[lengthof(companions)];

/* ---- labels ------------------------------------------------------------------ */

/* Fold a label of a canonical host name; false when nothing is left of it. */
static bool
FoldLabel(const char *ascii, int len, Label *label)
{
	char		utf8[LABEL_ROOM];
	int			utf8_len = LabelToUnicode(ascii, len, utf8);
	int			start = 0;

	label->ascii = ascii;
	label->ascii_len = len;
	label->plain = true;
	label->len = 0;
	memset(label->edges, 0, sizeof(label->edges));
	for (int i = 0; i <= utf8_len; i++)
	{
		uint32_t	token[FOLD_CHARS_MAX];
		int			n;

		if (i < utf8_len && utf8[i] != '-')
		{
			label->plain &= !IS_HIGHBIT_SET(utf8[i]);
			continue;
		}
		n = FoldName(utf8 + start, i - start, FOLD_CASE_FIRST, token);
		start = i + 1;
		if (n <= 0 || label->len + n > FOLD_CHARS_MAX)
			continue;
		label->edges[label->len / 64] |= UINT64CONST(1) << (label->len % 64);
		memcpy(label->chars + label->len, token, n * sizeof(uint32_t));
		label->len += n;
	}
	label->edges[label->len / 64] |= UINT64CONST(1) << (label->len % 64);
	label->polynomial[0] = 0;
	for (int i = 0; i < label->len; i++)
		label->polynomial[i + 1] = NearHashStep(label->polynomial[i], label->chars[i]);
	return label->len > 0;
}

/* Does a token begin there, or end? */
static inline bool
IsEdge(const Label *label, int at)
{
	return (label->edges[at / 64] >> (at % 64) & 1) != 0;
}

void
FoldCompanions(void)
{
	for (int i = 0; i < lengthof(companions) && companion_lens[i] == 0; i++)
	{
		uint32_t	folded[FOLD_CHARS_MAX];
		int			n = FoldName(companions[i], strlen(companions[i]), FOLD_CASE_FIRST, folded);

		if (n <= 0 || n > lengthof(companion_chars[i]))
			elog(ERROR, "word \"%s\" can't be folded", companions[i]);
		memcpy(companion_chars[i], folded, n * sizeof(uint32_t));
		companion_lens[i] = n;
	}
}

/* Is this part made of such words and of digits? (Of nothing is fine.) */
bool
IsCompanions(const uint32_t *chars, int len)
{
	bool		reached[FOLD_CHARS_MAX + 1] = {true};

	for (int at = 0; at < len; at++)
	{
		if (!reached[at])
			continue;
		if (chars[at] >= '0' && chars[at] <= '9')
			reached[at + 1] = true;
		for (int i = 0; i < lengthof(companions); i++)
		{
			int			n = companion_lens[i];

			if (n <= len - at && memcmp(chars + at, companion_chars[i], n * sizeof(uint32_t)) == 0)
				reached[at + n] = true;
		}
	}
	return reached[len];
}

/* ---- the set ------------------------------------------------------------------- */

/*
 * The part of an item that is protected, canonical; if there is none an error,
 * or NULL for skip
 */
static const char *
ProtectedDomain(text *item, bool skip, char *ascii)
{
	const char *domain = NULL;

	if (CanonicalHost(VARDATA_ANY(item), VARSIZE_ANY_EXHDR(item), ascii))
	{
		domain = RegistrableDomain(ascii);
		/* A public suffix may be protected, too, but not a top level. */
		if (domain == NULL && strchr(ascii, '.') != NULL)
			domain = ascii;
	}
	if (domain == NULL && !skip)
	{
		int			shown = pg_mbcliplen(VARDATA_ANY(item), VARSIZE_ANY_EXHDR(item), 100);

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not a domain that can be protected", pnstrdup(VARDATA_ANY(item), shown)),
				 errhint("Give names such as example.com.")));
	}
	return domain;
}

static void
AddDomain(DomainSet *set, text *item, int number, bool skip, MemoryContext cxt)
{
	Protected  *added = &set->domains[number];
	char		ascii[HOST_MAX_BYTES + 1];
	const char *domain = ProtectedDomain(item, skip, ascii);
	int32	   *bucket;
	Label		label;

	if (domain == NULL)
		return;
	added->domain = MemoryContextStrdup(cxt, domain);
	added->label_len = strcspn(domain, ".");
	added->given = MemoryContextAlloc(cxt, VARSIZE_ANY_EXHDR(item) + VARHDRSZ);
	SET_VARSIZE(added->given, VARSIZE_ANY_EXHDR(item) + VARHDRSZ);
	memcpy(VARDATA(added->given), VARDATA_ANY(item), VARSIZE_ANY_EXHDR(item));

	bucket = &set->own[hash_bytes((const unsigned char *) domain, strlen(domain)) & set->own_mask];
	set->own_next[number] = *bucket;
	*bucket = number;
	if (FoldLabel(added->domain, added->label_len, &label))
		NearIndexAdd(set->index, label.chars, label.len, number);
}

/* Make a set of domains; skip: leave out what is none. */
static void *
DomainSetOf(Datum *items, bool *nulls, int n, bool skip, MemoryContext cxt)
{
	DomainSet  *set = MemoryContextAllocZero(cxt, sizeof(DomainSet));
	uint32		size;

	FoldCompanions();
	size = pg_nextpower2_32(Max(2 * n, 16));
	set->index = NearIndexBegin(cxt, n);
	set->domains = MemoryContextAllocZero(cxt, Max(n, 1) * sizeof(Protected));
	set->own_mask = size - 1;
	set->own = MemoryContextAlloc(cxt, size * sizeof(int32));
	memset(set->own, -1, size * sizeof(int32));
	set->own_next = MemoryContextAlloc(cxt, Max(n, 1) * sizeof(int32));
	for (int i = 0; i < n; i++)
	{
		if (i % 256 == 0)
			CHECK_FOR_INTERRUPTS();
		if (!nulls[i])
			AddDomain(set, DatumGetTextPP(items[i]), i, skip, cxt);
	}
	NearIndexFinish(set->index);
	return set;
}

static void *
MakeDomainSet(FunctionCallInfo fcinfo, ArrayType *array, MemoryContext cxt)
{
	Datum	   *items;
	bool	   *nulls;
	int			n;
	DomainSet  *set;

	ArrayItems(array, &items, &nulls, &n);
	set = DomainSetOf(items, nulls, n, false, cxt);
	set->desc = ArraySiteResult(fcinfo, cxt);
	return set;
}

/* Is the host a protected domain, or below one? */
static bool
IsOwn(const DomainSet *set, const char *host)
{
	for (const char *domain = host; domain != NULL; domain = strchr(domain, '.'))
	{
		int			i;

		if (*domain == '.')
			domain++;
		i = set->own[hash_bytes((const unsigned char *) domain, strlen(domain)) & set->own_mask];
		for (; i >= 0; i = set->own_next[i])
			if (strcmp(set->domains[i].domain, domain) == 0)
				return true;
	}
	return false;
}

/* ---- the ways -------------------------------------------------------------------- */

/* Labels that look the same, but for hyphens. Returns the number, or -1. */
static int
MatchWhole(const DomainSet *set, const Label *label, How *how)
{
	uint32		hash = NearHashFinish(label->polynomial[label->len]);
	int			first = -1;

	for (int i = NearIndexExact(set->index, label->chars, label->len, hash, -1); i >= 0;
		 i = NearIndexExact(set->index, label->chars, label->len, hash, i))
	{
		int			number = set->index->names[i].number;
		const Protected *known = &set->domains[number];

		if (known->label_len == label->ascii_len &&
			memcmp(known->domain, label->ascii, label->ascii_len) == 0)
		{
			*how = HOW_TLD;
			return label->ascii_len < TLD_LABEL_MIN ? -1 : number;
		}
		if (first < 0)
			first = number;
	}
	if (first >= 0)
	{
		const Protected *known = &set->domains[first];
		int			i = 0,
					k = 0;

		/* Is it more than hyphens that they differ by? */
		for (;; i++, k++)
		{
			while (i < label->ascii_len && label->ascii[i] == '-')
				i++;
			while (k < known->label_len && known->domain[k] == '-')
				k++;
			if (i >= label->ascii_len || k >= known->label_len || label->ascii[i] != known->domain[k])
				break;
		}
		*how = !label->plain ? HOW_PUNYCODE :
			i >= label->ascii_len && k >= known->label_len ? HOW_EDIT : HOW_HOMOGLYPH;
	}
	return first;
}

/* A label that is few edits off. Returns the number, or -1. */
static int
MatchEdits(const DomainSet *set, const Label *label, How *how)
{
	int			distance;
	int			i = NearIndexFind(set->index, label->chars, label->len, &distance);

	/* One that is the same was passed over: it is too short. */
	if (i < 0 || distance == 0 || (distance > 1 && set->index->names[i].len < TWO_EDITS_MIN))
		return -1;
	*how = label->plain ? HOW_EDIT : HOW_PUNYCODE;
	return set->index->names[i].number;
}

/* May a protected label be recognised there? */
static bool
IsPart(const Label *label, int at, int len)
{
	if (len >= PART_ANY_MIN)
		return true;
	if (len >= PART_TOKEN_MIN && IsEdge(label, at) && IsEdge(label, at + len))
		return true;
	return IsCompanions(label->chars, at) &&
		IsCompanions(label->chars + at + len, label->len - at - len);
}

/* A token that is one edit off a long protected label. Returns the number, or -1. */
static int
MatchToken(const DomainSet *set, const Label *label)
{
	for (int at = 0, end; at < label->len; at = end)
	{
		int			distance;
		int			i;

		for (end = at + 1; !IsEdge(label, end); end++);
		if (end - at < PART_ANY_MIN)
			continue;
		i = NearIndexFind(set->index, label->chars + at, end - at, &distance);
		if (i >= 0 && distance <= 1)
			return set->index->names[i].number;
	}
	return -1;
}

/* The longest protected label that is part of this one, or near a token of it */
static int
MatchPart(const DomainSet *set, const Label *label)
{
	uint64		power = 1;
	uint64		powers[HOST_MAX_LABEL + 1];
	int			longest = Min(label->len - 1, HOST_MAX_LABEL);

	for (int len = 0; len <= longest; len++, power *= NEAR_HASH_BASE)
		powers[len] = power;
	for (int len = longest; len >= PART_MIN; len--)
	{
		if ((set->index->lengths >> len & 1) == 0)
			continue;
		for (int at = 0; at + len <= label->len; at++)
		{
			uint64		part = label->polynomial[at + len] - label->polynomial[at] * powers[len];
			int			i = NearIndexExact(set->index, label->chars + at, len, NearHashFinish(part), -1);

			if (i >= 0 && IsPart(label, at, len))
				return set->index->names[i].number;
		}
	}
	return MatchToken(set, label);
}

/* A label of two tokens that have changed places. Returns the number, or -1. */
static int
MatchSwapped(const DomainSet *set, const Label *label)
{
	uint32_t	swapped[FOLD_CHARS_MAX];
	int			middle;
	int			i;

	for (middle = 1; middle < label->len && !IsEdge(label, middle); middle++);
	if (middle >= label->len)
		return -1;
	memcpy(swapped, label->chars + middle, (label->len - middle) * sizeof(uint32_t));
	memcpy(swapped + label->len - middle, label->chars, middle * sizeof(uint32_t));
	i = NearIndexExact(set->index, swapped, label->len, NearHash(swapped, label->len), -1);
	return i < 0 ? -1 : set->index->names[i].number;
}

/* Does what follows a label go on as the protected domain does? */
static bool
GoesOn(const Protected *known, const char *rest)
{
	const char *suffix = known->domain + known->label_len;
	Size		len = strlen(suffix);

	return strncmp(rest, suffix, len) == 0 && (rest[len] == '.' || rest[len] == '-');
}

/* Labels below the registrable domain. Returns the number, or -1. */
static int
MatchBelow(const DomainSet *set, const char *host, const char *domain)
{
	const char *end = domain - 1;	/* the dot before it */

	for (int n = 0; n < LABELS_MAX && end > host; n++)
	{
		const char *start = end;
		Label		label;
		int			i;

		while (start > host && start[-1] != '.')
			start--;
		if (FoldLabel(start, end - start, &label))
		{
			i = NearIndexExact(set->index, label.chars, label.len,
							   NearHashFinish(label.polynomial[label.len]), -1);
			for (; i >= 0; i = NearIndexExact(set->index, label.chars, label.len, set->index->names[i].hash, i))
			{
				int			number = set->index->names[i].number;

				if (label.len >= PART_TOKEN_MIN || GoesOn(&set->domains[number], end))
					return number;
			}
			i = MatchPart(set, &label);
			if (i >= 0)
				return i;
		}
		end = start - 1;
	}
	return -1;
}

/* What is the host a lookalike of? The number, -1 for none. */
static int
Match(const DomainSet *set, const char *host, How *how)
{
	const char *domain = RegistrableDomain(host);
	Label		label;
	int			found;

	if (domain == NULL)
		return -1;
	if (FoldLabel(domain, strcspn(domain, "."), &label))
	{
		found = MatchWhole(set, &label, how);
		if (found >= 0)
			return found;
		found = MatchEdits(set, &label, how);
		if (found >= 0)
			return found;
		*how = HOW_LABEL;
		found = MatchSwapped(set, &label);
		if (found >= 0)
			return found;
		*how = HOW_COMBOSQUAT;
		found = MatchPart(set, &label);
		if (found >= 0)
			return found;
	}
	*how = HOW_LABEL;
	return MatchBelow(set, host, domain);
}

/* Which domain of the set a host or address imitates, and how; uses: how often it was asked */
static Datum
FindLookalike(FunctionCallInfo fcinfo, DomainSet *set, TupleDesc desc, int64 uses)
{
	text	   *content = PG_GETARG_TEXT_PP(0);
	const char *bytes = VARDATA_ANY(content);
	int			len = VARSIZE_ANY_EXHDR(content);
	char		host[HOST_MAX_BYTES + 1];
	int			found;
	How			how;
	Datum		values[2];
	bool		nulls[2] = {false};

	if (uses > 1)
		NearIndexPrepare(set->index);
	if (!CanonicalHost(bytes, len, host) && !AddressHost(bytes, len, host))
		PG_RETURN_NULL();
	if (IsOwn(set, host))
		PG_RETURN_NULL();
	found = Match(set, host, &how);
	if (found < 0)
		PG_RETURN_NULL();
	values[0] = PointerGetDatum(set->domains[found].given);
	values[1] = CStringGetTextDatum(how_names[how]);
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

static Datum
LookalikeOfArray(FunctionCallInfo fcinfo, Datum domains)
{
	ArraySite  *site = GetArraySite(fcinfo, 1, domains, MakeDomainSet);
	DomainSet  *set = site->made;

	return FindLookalike(fcinfo, set, set->desc, site->uses);
}

/* lookalike_domain(host, domains): which protected domain it imitates, and how */
PG_FUNCTION_INFO_V1(lookalike_domain);
Datum
lookalike_domain(PG_FUNCTION_ARGS)
{
	return LookalikeOfArray(fcinfo, PG_GETARG_DATUM(1));
}

/* lookalike_domain(host, list): the same of a list's values */
PG_FUNCTION_INFO_V1(lookalike_domain_list);
Datum
lookalike_domain_list(PG_FUNCTION_ARGS)
{
	static TupleDesc desc = NULL;
	DomainSet  *set;
	int64		uses;
	Datum		domains;

	if (ArgumentIsArray(fcinfo->flinfo->fn_extra, fcinfo, 1, &domains))
		return LookalikeOfArray(fcinfo, domains);
	if (desc == NULL)
		desc = ArraySiteResult(fcinfo, TopMemoryContext);
	set = NearSetGet(PG_GETARG_TEXT_PP(1), NEAR_DOMAINS, DomainSetOf, &uses);
	return FindLookalike(fcinfo, set, desc, uses);
}
