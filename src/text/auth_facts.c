/*
 * auth_facts.c
 *		What servers that one trusts wrote into Authentication-Results headers
 *		(RFC 8601); see facts.h.
 *
 *	authserv-id [version] *(";" method ["/" version] "=" result
 *							*(ptype "." property "=" value / keyword "=" value))
 *
 * with comments and white space between any two of these, and strings in quotes.
 * A header counts if its authserv-id is one of those given; senders write such
 * headers, too.  Parts of a true one were chosen by the sender as well (an
 * address, a name in a comment), and not every server quotes them: so reading
 * ends where the grammar is broken, and no header that is broken anywhere makes
 * a message pass.  Of two results of one method the upper one counts, since servers add at the top,
 * but one that passed gives way: nobody forges a failure of his own.
 */
#include <string.h>

#include "ascii.h"
#include "facts.h"

/* Longest value of a property that is looked into */
#define VALUE_MAX	1024

typedef struct Reader
{
	const char *p;
	const char *end;
	FactSpan	comment;		/* the last one that was skipped */
} Reader;

/* A value without its quotes */
typedef struct AuthValue
{
	size_t		len;
	size_t		host;			/* behind the last @ that isn't in quotes, or
								 * 0 */
	bool		whole;			/* false: longer than VALUE_MAX */
	char		bytes[VALUE_MAX];
} AuthValue;

/* One method's result with its properties, as far as they are of use */
typedef struct AuthResult
{
	char		method[AUTH_WORD_MAX + 1];
	char		result[AUTH_WORD_MAX + 1];
	char		mailfrom[HOST_MAX_BYTES + 1];
	char		helo[HOST_MAX_BYTES + 1];
	char		signer[HOST_MAX_BYTES + 1]; /* header.d */
	char		identity[HOST_MAX_BYTES + 1];	/* header.i */
	char		from[HOST_MAX_BYTES + 1];
	char		policy[AUTH_WORD_MAX + 1];
	char		action[AUTH_WORD_MAX + 1];
	char		reason[AUTH_WORD_MAX + 1];
} AuthResult;

void
AuthFactsBegin(AuthFacts *facts)
{
	memset(facts, 0, offsetof(AuthFacts, domains));
	facts->authserv_id = -1;
}

/* ---- grammar --------------------------------------------------------------------- */

static inline bool
IsWordChar(char c)
{
	c = Lower(c);
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static bool
SpanIs(const char *bytes, size_t len, const char *word)
{
	for (size_t i = 0; i < len; i++)
		if (word[i] == '\0' || Lower(bytes[i]) != word[i])
			return false;
	return word[len] == '\0';
}

/* White space and comments, which nest; false where a comment has no end */
static bool
SkipBlanks(Reader *r)
{
	while (r->p < r->end)
	{
		const char *from = r->p + 1;
		int			depth = 0;

		if (IsBlank(*r->p))
		{
			r->p++;
			continue;
		}
		if (*r->p != '(')
			return true;
		do
		{
			if (*r->p == '(')
				depth++;
			else if (*r->p == ')')
				depth--;
			else if (*r->p == '\\' && r->p + 1 < r->end)
				r->p++;
			r->p++;
		} while (depth > 0 && r->p < r->end);
		if (depth > 0)
			return false;
		r->comment.data = from;
		r->comment.len = r->p - 1 - from;
	}
	return true;
}

/* A keyword in lower case; false where there is none, or too long a one */
static bool
ReadWord(Reader *r, char *word)
{
	size_t		n = 0;

	while (r->p < r->end && IsWordChar(*r->p) && n < AUTH_WORD_MAX)
		word[n++] = Lower(*r->p++);
	word[n] = '\0';
	return n > 0 && (r->p == r->end || !IsWordChar(*r->p));
}

/* The character c between blanks */
static bool
ReadChar(Reader *r, char c)
{
	if (!SkipBlanks(r) || r->p == r->end || *r->p != c)
		return false;
	r->p++;
	return SkipBlanks(r);
}

static inline void
AddToValue(AuthValue *v, char c)
{
	if (v->len < VALUE_MAX)
		v->bytes[v->len++] = c;
	else
		v->whole = false;
}

/* A value: quoted strings and what stands beside them, up to a blank or semicolon */
static bool
ReadValue(Reader *r, AuthValue *v, const char *stops)
{
	v->len = v->host = 0;
	v->whole = true;
	while (r->p < r->end && !IsBlank(*r->p) && strchr(stops, *r->p) == NULL)
	{
		if (*r->p != '"')
		{
			AddToValue(v, *r->p);
			if (*r->p == '@')
				v->host = v->len;
			r->p++;
			continue;
		}
		for (r->p++; r->p < r->end && *r->p != '"'; r->p++)
		{
			if (*r->p == '\\' && r->p + 1 < r->end)
				r->p++;
			AddToValue(v, *r->p);
		}
		if (r->p == r->end)
			return false;
		r->p++;
	}
	return true;
}

/* ---- what is meant ----------------------------------------------------------------- */

/* The domain of an address, or a domain, into an empty host */
static void
TakeHost(const AuthValue *v, char *host)
{
	const char *from = v->bytes + v->host;
	size_t		len = v->len - v->host;
	const char *label;

	if (host[0] != '\0' || !v->whole)
		return;
	/* an address may be in quotes as a whole */
	if (v->host == 0)
		for (const char *p = from + len; p > from; p--)
			if (p[-1] == '@')
			{
				len -= p - from;
				from = p;
				break;
			}
	if (len > 0 && *from == '<')
	{
		from++;
		len--;
	}
	if (len > 0 && from[len - 1] == '>')
		len--;
	if (HostToAscii(from, len, host) < 0)
	{
		host[0] = '\0';
		return;
	}
	/* a last label of digits makes it an address */
	label = strrchr(host, '.');
	label = label != NULL ? label + 1 : host;
	if (label[strspn(label, "0123456789")] == '\0')
		host[0] = '\0';
}

/* A keyword into an empty word */
static void
TakeWord(const char *bytes, size_t len, char *word)
{
	if (word[0] != '\0' || len == 0 || len > AUTH_WORD_MAX)
		return;
	for (size_t i = 0; i < len; i++)
	{
		if (!IsWordChar(bytes[i]) && bytes[i] != '.')
		{
			word[0] = '\0';
			return;
		}
		word[i] = Lower(bytes[i]);
	}
	word[len] = '\0';
}

/* A property that says something about its method */
static void
TakeProperty(AuthResult *a, const char *type, const char *property, const AuthValue *v)
{
	if (strcmp(type, "smtp") == 0)
	{
		if (strcmp(property, "mailfrom") == 0 || strcmp(property, "mfrom") == 0 || strcmp(property, "envelope-from") == 0)
			TakeHost(v, a->mailfrom);
		else if (strcmp(property, "helo") == 0)
			TakeHost(v, a->helo);
	}
	else if (strcmp(type, "header") == 0)
	{
		if (strcmp(property, "d") == 0)
			TakeHost(v, a->signer);
		else if (strcmp(property, "i") == 0)
			TakeHost(v, a->identity);
		else if (strcmp(property, "from") == 0)
			TakeHost(v, a->from);
	}
	else if (strcmp(type, "policy") == 0)
	{
		if (strcmp(property, "dmarc") == 0 || strcmp(property, "published-domain-policy") == 0)
			TakeWord(v->bytes, v->len, a->policy);
		else if (strcmp(property, "applied-disposition") == 0)
			TakeWord(v->bytes, v->len, a->action);
	}
	else if (property[0] == '\0')
	{
		if (strcmp(type, "reason") == 0)
			TakeWord(v->bytes, v->len, a->reason);
		else if (strcmp(type, "action") == 0)
			TakeWord(v->bytes, v->len, a->action);
	}
}

/* Policy and disposition, which many servers write into a comment: (p=REJECT dis=NONE) */
static void
TakeDmarcComment(AuthResult *a, FactSpan comment)
{
	const char *end = comment.data + comment.len;

	for (const char *p = comment.data; p < end;)
	{
		const char *from = p;
		const char *equals = NULL;

		while (p < end && !IsBlank(*p) && strchr(",;()", *p) == NULL)
		{
			if (*p == '=' && equals == NULL)
				equals = p;
			p++;
		}
		if (equals != NULL)
		{
			if (SpanIs(from, equals - from, "p") || SpanIs(from, equals - from, "policy"))
				TakeWord(equals + 1, p - equals - 1, a->policy);
			else if (SpanIs(from, equals - from, "dis"))
				TakeWord(equals + 1, p - equals - 1, a->action);
		}
		if (p < end)
			p++;
	}
}

/*
 * A method's result and its properties, up to a semicolon.  False where the
 * grammar is broken; the result is empty if that is before its end.
 */
static bool
ReadResult(Reader *r, AuthResult *a)
{
	char		version[AUTH_WORD_MAX + 1];
	bool		first_comment = true;

	memset(a, 0, sizeof(*a));
	if (!ReadWord(r, a->method) || !SkipBlanks(r))
		return false;
	if (r->p < r->end && *r->p == '/' && (!ReadChar(r, '/') || !ReadWord(r, version)))
		return false;
	if (!ReadChar(r, '=') || !ReadWord(r, a->result) ||
		(r->p < r->end && !IsBlank(*r->p) && *r->p != '(' && *r->p != ';'))
	{
		a->result[0] = '\0';
		return false;
	}
	for (;;)
	{
		char		type[AUTH_WORD_MAX + 1];
		char		property[AUTH_WORD_MAX + 1] = "";
		AuthValue	value;

		r->comment.data = NULL;
		if (!SkipBlanks(r))
			return false;
		if (r->comment.data != NULL && first_comment && strcmp(a->method, "dmarc") == 0)
		{
			TakeDmarcComment(a, r->comment);
			first_comment = false;
		}
		if (r->p == r->end || *r->p == ';')
			return true;
		if (!ReadWord(r, type) || !SkipBlanks(r))
			return false;
		if (r->p < r->end && *r->p == '.' && (!ReadChar(r, '.') || !ReadWord(r, property)))
			return false;
		if (!ReadChar(r, '=') || !ReadValue(r, &value, ";("))
			return false;
		TakeProperty(a, type, property, &value);
	}
}

/* ---- what is kept --------------------------------------------------------------------- */

/* Does it speak for the message?  pass, softpass, bestguesspass */
static bool
IsPass(const char *result)
{
	return strstr(result, "pass") != NULL;
}

/* The result of a method that gives one; whether this is it now */
static bool
KeepResult(AuthFacts *f, AuthMethod method, const char *result)
{
	char	   *kept = f->result[method];

	if (kept[0] != '\0')
	{
		if (strcmp(kept, result) == 0)
			return false;
		f->conflict = true;
		if (!IsPass(kept) || IsPass(result))
			return false;
	}
	strcpy(kept, result);
	return true;
}

/* MAIL FROM rather than HELO, each of which may have a result */
static void
KeepSpf(AuthFacts *f, const AuthResult *a)
{
	bool		of_helo = a->mailfrom[0] == '\0' && a->helo[0] != '\0';
	bool		had = f->result[AUTH_SPF][0] != '\0';

	if (had && of_helo && !f->spf_of_helo)
		return;
	if (had && !of_helo && f->spf_of_helo)
		f->result[AUTH_SPF][0] = '\0';
	if (!KeepResult(f, AUTH_SPF, a->result))
		return;
	f->spf_of_helo = of_helo;
	strcpy(f->spf_domain, of_helo ? a->helo : a->mailfrom);
}

/* Of several signatures, one that passes rather than the first */
static void
KeepDkim(AuthFacts *f, const AuthResult *a)
{
	const char *domain = a->signer[0] != '\0' ? a->signer : a->identity;
	bool		pass = strcmp(a->result, "pass") == 0;

	/* no signature, no domain; Microsoft's is called "none" */
	if (strcmp(a->result, "none") == 0)
		domain = "";
	else
		f->signatures++;
	f->signatures_passed += pass;
	if (f->result[AUTH_DKIM][0] == '\0' ||
		strcmp(f->result[AUTH_DKIM], "none") == 0 ||
		(pass && (strcmp(f->result[AUTH_DKIM], "pass") != 0 || f->dkim_domain[0] == '\0')))
	{
		strcpy(f->result[AUTH_DKIM], a->result);
		strcpy(f->dkim_domain, domain);
	}
	if (!pass || domain[0] == '\0' || f->ndomains == AUTH_DOMAINS_MAX)
		return;
	for (int i = 0; i < f->ndomains; i++)
		if (strcmp(f->domains[i], domain) == 0)
			return;
	strcpy(f->domains[f->ndomains++], domain);
}

static void
Keep(AuthFacts *f, const AuthResult *a)
{
	if (strcmp(a->method, "spf") == 0)
		KeepSpf(f, a);
	else if (strcmp(a->method, "dkim") == 0)
		KeepDkim(f, a);
	else if (strcmp(a->method, "dmarc") == 0)
	{
		if (!KeepResult(f, AUTH_DMARC, a->result))
			return;
		strcpy(f->dmarc_domain, a->from);
		strcpy(f->dmarc_policy, a->policy);
		strcpy(f->dmarc_action, a->action);
	}
	else if (strcmp(a->method, "arc") == 0)
		KeepResult(f, AUTH_ARC, a->result);
	else if (strcmp(a->method, "compauth") == 0)
	{
		if (KeepResult(f, AUTH_COMPAUTH, a->result))
			strcpy(f->compauth_reason, a->reason);
	}
	else if (strcmp(a->method, "iprev") == 0)
		KeepResult(f, AUTH_IPREV, a->result);
}

/* ---- a header -------------------------------------------------------------------------- */

static bool
SameBytes(const char *a, const char *b, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (Lower(a[i]) != Lower(b[i]))
			return false;
	return true;
}

/* Which of the ids it is, without regard to case; *.example.com is any host below; or -1 */
static int
FindId(const AuthValue *id, const FactSpan *ids, int nids)
{
	for (int i = 0; i < nids; i++)
	{
		const FactSpan *known = &ids[i];

		if (known->len > 2 && known->data[0] == '*' && known->data[1] == '.')
		{
			size_t		n = known->len - 1;

			if (id->len > n && SameBytes(id->bytes + id->len - n, known->data + 1, n))
				return i;
		}
		else if (known->len == id->len && SameBytes(known->data, id->bytes, id->len))
			return i;
	}
	return -1;
}

/* Read up to the first result; false where it isn't the header of such a server. */
static bool
ReadId(Reader *r, AuthValue *id)
{
	const char *start = r->p;

	if (!SkipBlanks(r) || !ReadValue(r, id, ";(=") || !id->whole || !SkipBlanks(r))
		return false;
	/* Microsoft's have none: the first word is a method */
	if (r->p < r->end && *r->p == '=')
	{
		r->p = start;
		id->len = 0;
		return true;
	}
	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return SkipBlanks(r) && (r->p == r->end || *r->p++ == ';');
}

/*
 * Read all results.  False where the grammar is broken: then none that passed is
 * kept, wherever in the header it stands.
 */
static bool
ReadResults(AuthFacts *f, Reader r, bool keep, bool keep_passed)
{
	for (;;)
	{
		AuthResult	a;
		bool		whole;

		if (!SkipBlanks(&r))
			return false;
		if (r.p == r.end)
			return true;
		/* one semicolon too many, as many servers write at the end */
		if (*r.p == ';')
		{
			r.p++;
			continue;
		}
		whole = ReadResult(&r, &a);
		/* "none" alone: no method was applied */
		if (!whole && a.result[0] == '\0' && strcmp(a.method, "none") == 0 && (r.p == r.end || *r.p == ';'))
			continue;
		if (keep && a.result[0] != '\0' && (keep_passed || !IsPass(a.result)))
			Keep(f, &a);
		if (!whole)
			return false;
	}
}

/* Read one header's value. */
void
AuthFactsAdd(AuthFacts *f, const char *value, size_t len, const FactSpan *ids, int nids)
{
	Reader		r = {value, value + len, {NULL, 0}};
	AuthValue	id;
	int			known;
	bool		whole;

	if (!ReadId(&r, &id) || (known = FindId(&id, ids, nids)) < 0)
	{
		f->untrusted++;
		return;
	}
	f->trusted++;
	if (f->authserv_id < 0)
		f->authserv_id = known;
	whole = ReadResults(f, r, false, false);
	f->malformed += !whole;
	ReadResults(f, r, true, whole);
}
