/*
 * facts.c
 *		Facts of random texts, taken block by block and in pieces, against the
 *		same taken character by character; and facts of headers that are any bytes.
 *		Run by t/text_facts.pl, under sanitizers where there are some.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "../src/text/text_facts.c"

#define TEXT_MAX	400
#define ROUNDS		200000

/* What texts are made of: much that is plain, some of everything that counts */
static const char *const pieces[] = {
	" ", " ", " ", "  ", "\n", "\n", "\r\n", "\n>", "> ", "\t", "a", "b", "The", "word", "PAY", "NOW", "A1", "I",
	"x_y", "0", "42", "!", "?", "$", ".", ",", "-", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	"                                                                              ",
	"\303\251", "\303\211", "\320\260", "\320\220", "\316\261", "\344\270\255", "\340\244\225", "\340\245\215",
	"\342\200\213", "\342\200\214", "\342\200\215", "\342\200\216", "\342\200\256", "\302\255", "\302\240", "\314\201",
	"\357\270\217", "\360\237\230\200", "\360\237\217\273", "\360\237\207\251\360\237\207\252", "\342\230\216", "\342\203\243",
	"\360\235\220\200", "\342\222\266", "\357\274\241", "\357\277\275", "\356\200\200", "\363\240\201\245", "\360\237\217\264",
	"\001", "\177", "\200", "\377", "\342\200", "\360\237\230"
};

#define PIECES	(sizeof(pieces) / sizeof(pieces[0]))

static size_t
MakeText(char *made)
{
	size_t		len = 0;
	int			plain = rand() % 3;
	size_t		max = rand() % TEXT_MAX;

	while (len < max)
	{
		const char *piece = pieces[rand() % (plain ? 27 + (rand() % (plain * 30) == 0 ? PIECES - 27 : 0) : PIECES)];
		size_t		n = strlen(piece);

		memcpy(made + len, piece, n);
		len += n;
	}
	return len;
}

/* Character by character, as TextFactsAdd() without blocks */
static void
AddOneByOne(TextScan *scan, const char *bytes, size_t len)
{
	const unsigned char *p = (const unsigned char *) bytes;
	const unsigned char *end = p + len;

	scan->facts.bytes += len;
	CountBytes(scan, p, end);
	while (p < end)
		p = AddSlowly(scan, p, end);
}

/* Where the character that is at or after `at` begins */
static size_t
Boundary(const char *bytes, size_t len, size_t at)
{
	const unsigned char *p = (const unsigned char *) bytes;
	const unsigned char *end = p + len;
	uint32_t	c;

	while (p < end && p < (const unsigned char *) bytes + at)
	{
		int			n = Utf8Decode(p, end, &c);

		p += n == 0 ? 1 : n;
	}
	return p - (const unsigned char *) bytes;
}

/* ---- headers ------------------------------------------------------------------- */

#define HEADERS	300000

static const char *const tokens[] = {
	"mx.test", "; ", ";", " ", "spf", "dkim", "dmarc", "=", "pass", "fail", "none", "(", ")", "\\", "\"", "smtp.mailfrom=",
	"header.d=", "header.i=@", "header.from=", "a.test", "b@c.test", "reason=", "policy.dmarc=", "p=reject", "/1", "1", ".",
	"compauth=softpass", "<", ">", "@", "\303\274.de", "\377", "\n\t", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "*"
};

static const char *const results[] = {
	"; spf=pass smtp.mailfrom=b@c.test", "; dkim=pass header.d=a.test", "; dkim=fail (bad (x)) header.i=@b.test", " (comment)",
	"; dmarc=fail reason=\"a;b\" header.from=a.test", "; spf=none smtp.helo=x.test", "; none", ";"
};

/* Any bytes make facts that hold together. */
static int
CheckHeaders(void)
{
	static const FactSpan ids[] = {{"mx.test", 7}, {"*.test", 6}, {"", 0}};
	static AuthFacts facts;
	long		passed = 0;

	for (int round = 0; round < HEADERS; round++)
	{
		char	   *made = malloc(2000);
		size_t		len = 0;

		if (rand() % 2)
			len = sprintf(made, "mx.test");
		for (int n = rand() % 30; n > 0; n--)
		{
			bool		odd = rand() % 40 < round % 40;

			len += sprintf(made + len, "%s", odd ? tokens[rand() % (sizeof(tokens) / sizeof(tokens[0]))] :
						   results[rand() % (sizeof(results) / sizeof(results[0]))]);
		}
		made = realloc(made, len == 0 ? 1 : len);
		AuthFactsBegin(&facts);
		for (int again = rand() % 3; again >= 0; again--)
			AuthFactsAdd(&facts, made, len, ids, 3);
		assert(facts.malformed <= facts.trusted);
		assert((facts.authserv_id >= 0) == (facts.trusted > 0));
		assert(facts.signatures_passed <= facts.signatures);
		assert(facts.ndomains <= facts.signatures_passed);
		for (int m = 0; m < AUTH_METHODS; m++)
			assert(strlen(facts.result[m]) <= AUTH_WORD_MAX);
		for (int i = 0; i < facts.ndomains; i++)
			assert(facts.domains[i][0] != '\0' && strlen(facts.domains[i]) <= HOST_MAX_BYTES);
		passed += strcmp(facts.result[AUTH_SPF], "pass") == 0 || facts.signatures_passed > 0;
		free(made);
	}
	printf("%d headers, %ld passed\n", HEADERS, passed);
	return passed > HEADERS / 20 ? 0 : 1;
}

static const char *const hop_tokens[] = {
	"from ", " by ", "(", ")", "[", "]", "198.51.100.7", "10.0.0.1", "2001:db8::1", "a.test", "mx.test", "unknown", "helo=", "HELO ", " with ESMTPSA",
	" ", ";", "\\", "@", ":", "IPv6:", "\377", "\303\274", "Authenticated", "using TLS", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "1.2.3.4.5"
};

static const char *
NoDomain(const char *host)
{
	const char *dot = strrchr(host, '.');

	return dot == NULL || dot == host ? NULL : host;
}

static bool
Trusts(const ReceivedHop *hop, void *arg)
{
	(void) arg;
	assert(hop->address[0] != '\0' && hop->is_public);
	return rand() % 4 == 0;
}

/* Is it a part of that? */
static bool
IsPart(FactSpan span, const char *made, size_t len)
{
	return span.len == 0 || (span.data >= made && span.data + span.len <= made + len);
}

/* Any Received headers make a hop of parts of one. */
static int
CheckHops(void)
{
	long		found = 0;

	for (int round = 0; round < HEADERS; round++)
	{
		char	   *made = malloc(2000);
		size_t		len = 0;
		ReceivedWalk walk;

		if (rand() % 2)
			len = sprintf(made, "from x (");
		for (int n = rand() % 30; n > 0; n--)
			len += sprintf(made + len, "%s", hop_tokens[rand() % (sizeof(hop_tokens) / sizeof(hop_tokens[0]))]);
		made = realloc(made, len == 0 ? 1 : len);
		ReceivedBegin(&walk, NoDomain, Trusts, NULL, rand() % 2);
		for (int n = rand() % 3; n >= 0; n--)
			ReceivedAdd(&walk, made, len);
		assert(walk.at <= walk.headers);
		assert(IsPart(walk.hop.name, made, len) && IsPart(walk.hop.helo, made, len) &&
			   IsPart(walk.hop.by, made, len) && IsPart(walk.hop.protocol, made, len));
		found += walk.at > 0;
		free(made);
	}
	printf("%d headers, %ld hops\n", HEADERS, found);
	return found > HEADERS / 50 ? 0 : 1;
}

static const char *const url_tokens[] = {
	"http", "https:", "//", "/", "\\", "@", ":", "80", "a.test", "x", ".", "1", "0x7f", "017", "%41", "%", "[", "]", "::1", "?", "#", "%40", "\t", "\n", " ",
	"\303\274", "\357\274\241", "\377", "javascript:", "mailto:", "-", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
};

static bool
AnySuffix(const char *label)
{
	return label[0] != '\0';
}

/* Any bytes make a host that a host may be, or none. */
static int
CheckUrls(void)
{
	long		found = 0;

	for (int round = 0; round < HEADERS; round++)
	{
		char	   *made = malloc(6000);
		size_t		len = 0;
		UrlParts	u;

		if (rand() % 2)
			len = sprintf(made, "https://");
		for (int n = rand() % (round % 100 == 0 ? 200 : 12); n > 0 && len < 5900; n--)
			len += sprintf(made + len, "%s", url_tokens[rand() % (round % 100 == 50 ? 2 : sizeof(url_tokens) / sizeof(url_tokens[0]))]);
		made = realloc(made, len == 0 ? 1 : len);
		UrlParse(made, len, &u);
		assert(strlen(u.host) <= HOST_MAX_BYTES && (!u.is_address || u.host[0] != '\0'));
		assert(u.host[0] == '\0' || (u.scheme >= URL_HTTP && u.scheme <= URL_FTP));
		found += u.host[0] != '\0';
		if (UrlShown(made, len, AnySuffix, &u))
			assert(u.host[0] != '\0');
		free(made);
	}
	printf("%d URLs, %ld hosts\n", HEADERS, found);
	return found > HEADERS / 10 ? 0 : 1;
}

int
main(void)
{
	static TextScan slow;
	static TextScan fast;
	static TextScan parts;
	long		words = 0;
	long		mixed = 0;

	srand(17);
	for (int round = 0; round < ROUNDS; round++)
	{
		char	   *made = malloc(2 * TEXT_MAX);
		size_t		len = MakeText(made);
		char	   *exact = malloc(len + 1);
		size_t		cut;

		/* at the end of the memory, so that a sanitizer sees a read beyond */
		memcpy(exact, made, len);
		exact = realloc(exact, len == 0 ? 1 : len);
		TextFactsBegin(&slow);
		AddOneByOne(&slow, exact, len);
		TextFactsEnd(&slow);
		TextFactsBegin(&fast);
		TextFactsAdd(&fast, exact, len);
		TextFactsEnd(&fast);
		TextFactsBegin(&parts);
		cut = Boundary(exact, len, len == 0 ? 0 : rand() % len);
		TextFactsAdd(&parts, exact, cut);
		TextFactsAdd(&parts, exact + cut, len - cut);
		TextFactsEnd(&parts);
		if (memcmp(&slow.facts, &fast.facts, sizeof(TextFacts)) != 0 ||
			memcmp(&slow.facts, &parts.facts, sizeof(TextFacts)) != 0)
		{
			const int32_t *a = (const int32_t *) &slow.facts;
			const int32_t *b = (const int32_t *) &fast.facts;
			const int32_t *c = (const int32_t *) &parts.facts;

			for (size_t i = 0; i < offsetof(TextFacts, bytes) / sizeof(int32_t); i++)
				if (a[i] != b[i] || a[i] != c[i])
					printf("number %zu: %d one by one, %d in blocks, %d in two pieces\n", i, a[i], b[i], c[i]);
			printf("round %d, cut at %zu of %zu: %.*s\n", round, cut, len, (int) len, exact);
			return 1;
		}
		words += slow.facts.words;
		mixed += slow.facts.mixed_script_words;
		free(exact);
		free(made);
	}
	printf("%d texts, %ld words, %ld of them mixed\n", ROUNDS, words, mixed);
	return words > ROUNDS && mixed > ROUNDS / 100 ? CheckHeaders() | CheckHops() | CheckUrls() : 1;
}
