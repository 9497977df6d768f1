/*
 * attachment.c
 *	  What an attachment is: its hash, its type by its bytes, whether it is
 *	  locked or holds programs, and what is in it.
 *
 * This file alone includes OpenSSL, whose SHA-256 uses what the processor has
 * for it.
 */
#include <string.h>
#ifdef HAVE_LIBCRYPTO
#include <openssl/evp.h>
#endif

#include "attachment.h"

/* Bytes that are searched for marks of documents */
#define MAX_SEARCHED		((size_t) 16 * 1024 * 1024)

static bool
contains(const char *s, size_t len, const char *what, size_t n)
{
	const char *end = s + MIN(len, MAX_SEARCHED);

	while ((size_t) (end - s) >= n && (s = memchr(s, what[0], end - s - n + 1)) != NULL)
	{
		if (memcmp(s, what, n) == 0)
			return true;
		s++;
	}
	return false;
}

/* Documents of Office before 2007 hold names in UTF-16 */
static bool
contains_wide(const char *s, size_t len, const char *what)
{
	char		wide[64];
	size_t		n = strlen(what);

	for (size_t i = 0; i < n; i++)
	{
		wide[2 * i] = what[i];
		wide[2 * i + 1] = '\0';
	}
	return contains(s, len, wide, 2 * n);
}

/* Passwords and macros of documents, what is in archives */
static void
look_inside(const char *s, size_t len, Findings *f)
{
	if (is_archive(s, len))
		archive_look(s, len, f);
	else if (is_tnef(s, len))
		tnef_look(s, len, f);
	else if (len > 8 && memcmp(s, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", 8) == 0)
	{
		f->encrypted = contains_wide(s, len, "EncryptedPackage") || contains_wide(s, len, "EncryptedSummary");
		f->macros = contains_wide(s, len, "_VBA_PROJECT");
	}
	else if (contains(s, MIN(len, 1024), "%PDF-", 5))
		f->encrypted = contains(s, len, "/Encrypt", 8);
}

/*
 * Does it run when opened, but is named as something else?  What it is goes by
 * its bytes; a name that says so is no deceit.
 */
static bool
is_disguised(const char *name, const char *type, const char *detected)
{
	static const struct
	{
		const char *type;
		const char *names;		/* suffixes that it may have, and a type's end */
	}			runs[] =
	{
		{"application/x-dosexec", " exe dll scr com pif cpl sys ocx drv efi msi x-msdownload x-msdos-program x-dosexec "},
		{"application/vnd.microsoft.portable-executable", " exe dll scr com pif cpl sys ocx drv efi x-msdownload x-msdos-program "},
		{"application/x-msi", " msi msp x-msi "},
		{"application/x-executable", " bin elf run x-executable "},
		{"application/x-pie-executable", " bin elf run x-executable "},
		{"application/x-sharedlib", " so bin elf x-sharedlib "},
		{"application/x-mach-binary", " bin dylib x-mach-binary "},
		{"application/x-ms-shortcut", " lnk x-ms-shortcut "},
		{"application/java-archive", " jar java-archive "},
		{"application/javascript", " js mjs jse javascript x-javascript "},
		{"text/javascript", " js mjs jse javascript x-javascript "},
		{"text/x-shellscript", " sh bash x-sh x-shellscript "},
		{"text/x-msdos-batch", " bat cmd x-msdos-batch "},
		{"text/html", " html htm xhtml shtml mht mhtml xht eml txt plain css xml "},
	};
	char	   *suffix = attached_suffix(name);
	const char *slash = type != NULL ? strchr(type, '/') : NULL;
	char	   *word;
	bool		found = false;

	/* without a suffix the declared type is what a program goes by */
	if (suffix == NULL)
		suffix = g_strdup(slash != NULL ? slash + 1 : "");
	word = g_strconcat(" ", suffix, " ", NULL);
	for (size_t i = 0; i < G_N_ELEMENTS(runs); i++)
		if (strcmp(detected, runs[i].type) == 0)
			found = strcmp(suffix, "octet-stream") != 0 && strstr(runs[i].names, word) == NULL;
	g_free(suffix);
	g_free(word);
	return found;
}

/* The SHA-256 of bytes in hexadecimal */
static char *
sha256_of(const char *s, size_t len)
{
#ifdef HAVE_LIBCRYPTO
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned	n;

	if (EVP_Digest(s, len, digest, &n, EVP_sha256(), NULL) == 1)
	{
		char	   *hex = g_malloc(2 * n + 1);

		for (unsigned i = 0; i < n; i++)
		{
			hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
			hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
		}
		hex[2 * n] = '\0';
		return hex;
	}
#endif
	return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (const guchar *) s, len);
}

/* An attachment with all that can be known of it from its bytes */
void
attachment_look(Message *m, const char *name, const char *type, const char *s, size_t len)
{
	Findings	f = {.m = m,.unpacked = m->unpacked_bytes};
	Attachment	a = {.name = name,.type = type,.size = len};
	char	   *sha256;

	/*
	 * what has no place in the row is not looked at either: that costs a
	 * process each
	 */
	if (m->attachment_count >= MAX_ATTACHMENTS)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
		return;
	}
	sha256 = sha256_of(s, len);
	f.entries = g_ptr_array_new_with_free_func(g_free);
	look_inside(s, len, &f);
	a.sha256 = sha256;
	a.detected = len > 0 ? detect_type(s, len) : NULL;
	a.encrypted = f.encrypted;
	a.macros = f.macros;
	a.archive = f.archive && !f.office;
	a.disguised = a.detected != NULL && is_disguised(name, type, a.detected);
	/* what a document consists of is no news */
	if (!f.office)
		a.entries = f.entries;
	message_add_attachment(m, &a);
	if (options.qr)
		qr_look(m, s, len);
	m->unpacked_bytes = f.unpacked;
	g_ptr_array_free(f.entries, TRUE);
	g_free(sha256);
}
