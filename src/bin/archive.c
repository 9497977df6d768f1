/*
 * archive.c
 *	  What is in an attached archive: the names of its entries, also of
 *	  archives within, and whether a password is needed.
 *
 * The work is libarchive's.  An archive is a stranger's: how much of it is
 * unpacked, how many names are kept and how deep it goes is bounded, and only
 * formats are on that libarchive reads by itself.  What it takes for headers and
 * for filters in filters it doesn't tell: it works in a process of its own
 * (bounded.c).  Without libarchive nothing is found here.
 *
 * This file alone includes libarchive.
 */
#include <string.h>

#include "attachment.h"

/* Larger ones are not looked into: their directories would take much memory */
#define MAX_ARCHIVE			((size_t) 25 * 1024 * 1024)

#ifdef HAVE_LIBARCHIVE
#include <archive.h>
#include <archive_entry.h>

/* Bytes that are unpacked in all archives of a message, and of one within another */
#define MAX_UNPACKED		((int64_t) 64 * 1024 * 1024)
#define MAX_INNER_ARCHIVE	((size_t) 16 * 1024 * 1024)

#define MAX_ARCHIVE_DEPTH	3
#define MAX_SEEN_ENTRIES	20000	/* of one archive */

/* What is told of an archive */
typedef enum Told
{
	TOLD_ENTRY = 'e',
	TOLD_ENCRYPTED = 'c',
	TOLD_MACROS = 'm',
	TOLD_OFFICE = 'o',
	TOLD_UNPACKED = 'u'			/* bytes, in decimal */
} Told;

/* An archive to be looked into */
typedef struct Archive
{
	const char *bytes;
	size_t		len;
	Findings   *f;
	int			entries;		/* told so far, */
	size_t		entry_bytes;	/* and their bytes */
} Archive;

/* An archive that libarchive reads, of which formats that run programs are left out */
static struct archive *
open_archive(const char *bytes, size_t len)
{
	struct archive *a = archive_read_new();

	archive_read_support_filter_gzip(a);
	archive_read_support_filter_bzip2(a);
	archive_read_support_filter_xz(a);
	archive_read_support_filter_lzma(a);
	archive_read_support_filter_zstd(a);
	archive_read_support_filter_compress(a);
	archive_read_support_format_zip(a);
	archive_read_support_format_7zip(a);
	archive_read_support_format_rar(a);
	archive_read_support_format_rar5(a);
	archive_read_support_format_tar(a);
	archive_read_support_format_cab(a);
	archive_read_support_format_iso9660(a);
	archive_read_support_format_lha(a);
	/* names in the directory are UTF-8 or nothing that we know */
	if (archive_read_open_memory(a, bytes, len) == ARCHIVE_OK)
		return a;
	archive_read_free(a);
	return NULL;
}

/* Must an entry be unpacked to get to the next?  Then that is done here, within bounds. */
static bool
unpacks_to_skip(struct archive *a)
{
	return archive_filter_count(a) > 1 || (archive_format(a) & ARCHIVE_FORMAT_BASE_MASK) == (ARCHIVE_FORMAT_RAR_V5 & ARCHIVE_FORMAT_BASE_MASK);
}

/*
 * Unpack the entry at hand, into out (NULL: nowhere) as far as there is room.
 * False where it can't be read to its end.
 */
static bool
unpack_entry(struct archive *a, GString *out, Archive *at)
{
	const void *block;
	size_t		size;
	la_int64_t	offset;
	int			code;

	while ((code = archive_read_data_block(a, &block, &size, &offset)) == ARCHIVE_OK)
	{
		at->f->unpacked += size;
		if (at->f->unpacked > MAX_UNPACKED)
			return false;
		if (out != NULL)
		{
			if (out->len + size > MAX_INNER_ARCHIVE)
				return false;
			g_string_append_len(out, block, size);
		}
	}
	return code == ARCHIVE_EOF;
}

static bool
has_suffix(const char *name, const char *const *suffixes)
{
	const char *dot = strrchr(name, '.');

	for (; dot != NULL && *suffixes != NULL; suffixes++)
		if (g_ascii_strcasecmp(dot + 1, *suffixes) == 0)
			return true;
	return false;
}

/* One more than are kept, so that it shows that there are more */
static void
tell_entry(Archive *at, const char *name)
{
	size_t		len = MIN(strlen(name), MAX_ENTRY_BYTES + 1);

	if (at->entries > MAX_ENTRIES || at->entry_bytes > MAX_ENTRY_BYTES)
		return;
	at->entries++;
	at->entry_bytes += len;
	bounded_tell(TOLD_ENTRY, name, len);
}

static void list_entries(const char *bytes, size_t len, Archive *at, int depth);

/* One entry; false where the archive can't be read further */
static bool
take_entry(struct archive *a, struct archive_entry *entry, Archive *at, int depth)
{
	static const char *const archives[] = {
		"zip", "7z", "rar", "tar", "gz", "tgz", "bz2", "xz", "iso", "img", "cab", "zst", "lzh", "jar", NULL
	};
	const char *name = archive_entry_pathname_utf8(entry);
	bool		inner;

	if (name == NULL)
		name = archive_entry_pathname(entry);
	if (name == NULL)
		name = "";
	if (archive_entry_is_encrypted(entry))
		bounded_tell(TOLD_ENCRYPTED, "", 0);
	if (g_str_has_suffix(name, "vbaProject.bin") || g_str_has_suffix(name, "vbaProjectSignature.bin"))
		bounded_tell(TOLD_MACROS, "", 0);
	if (depth == 0 && strcmp(name, "[Content_Types].xml") == 0)
		bounded_tell(TOLD_OFFICE, "", 0);
	if (archive_entry_filetype(entry) == AE_IFDIR)
		return true;
	tell_entry(at, name);
	inner = depth + 1 < MAX_ARCHIVE_DEPTH && !archive_entry_is_encrypted(entry) && has_suffix(name, archives);
	if (inner)
	{
		GString    *content = g_string_new(NULL);
		bool		whole = unpack_entry(a, content, at);

		if (is_archive(content->str, content->len))
			list_entries(content->str, content->len, at, depth + 1);
		g_string_free(content, TRUE);
		return whole;
	}
	return !unpacks_to_skip(a) || archive_entry_is_encrypted(entry) || unpack_entry(a, NULL, at);
}

static void
list_entries(const char *bytes, size_t len, Archive *at, int depth)
{
	struct archive *a = open_archive(bytes, len);
	struct archive_entry *entry;
	int			code = ARCHIVE_OK;

	if (a == NULL)
		return;
	for (int n = 0; n < MAX_SEEN_ENTRIES; n++)
	{
		code = archive_read_next_header(a, &entry);
		if ((code != ARCHIVE_OK && code != ARCHIVE_WARN) || !take_entry(a, entry, at, depth))
			break;
	}
	if (archive_read_has_encrypted_entries(a) > 0)
		bounded_tell(TOLD_ENCRYPTED, "", 0);
	archive_read_free(a);
}

/* In the child */
static void
tell_archive(void *arg)
{
	Archive    *at = arg;
	char		unpacked[32];

	list_entries(at->bytes, at->len, at, 0);
	g_snprintf(unpacked, sizeof(unpacked), "%" PRId64, at->f->unpacked);
	bounded_tell(TOLD_UNPACKED, unpacked, strlen(unpacked));
}

/* What it told */
static void
take_told(char kind, const char *s, size_t len, void *arg)
{
	Findings   *f = ((Archive *) arg)->f;

	switch ((Told) kind)
	{
		case TOLD_ENTRY:
			findings_add_entry(f, s);
			break;
		case TOLD_ENCRYPTED:
			f->encrypted = true;
			break;
		case TOLD_MACROS:
			f->macros = true;
			break;
		case TOLD_OFFICE:
			f->office = true;
			break;
		case TOLD_UNPACKED:
			f->unpacked = g_ascii_strtoll(s, NULL, 10);
			break;
	}
}
#endif

/* Does it begin like an archive that is known here? */
bool
is_archive(const char *s, size_t len)
{
	static const struct
	{
		size_t		at;
		const char *bytes;
		size_t		n;
	}			known[] =
	{
		{0, "PK\3\4", 4}, {0, "PK\5\6", 4}, {0, "7z\xBC\xAF\x27\x1C", 6}, {0, "Rar!\x1A\7", 6},
		{0, "\x1F\x8B\x08", 3}, {0, "BZh", 3}, {0, "\xFD" "7zXZ", 5}, {0, "\x28\xB5\x2F\xFD", 4},
		{0, "\x1F\x9D", 2}, {0, "MSCF", 4}, {2, "-lh", 3}, {257, "ustar", 5}, {32769, "CD001", 5},
	};

	for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
		if (len >= known[i].at + known[i].n && memcmp(s + known[i].at, known[i].bytes, known[i].n) == 0)
			return true;
	return false;
}

/* Note what is in an archive */
void
archive_look(const char *bytes, size_t len, Findings *f)
{
#ifdef HAVE_LIBARCHIVE
	Archive		at = {.bytes = bytes,.len = len,.f = f};

	if (len <= MAX_ARCHIVE && !bounded_run(f->m, tell_archive, take_told, &at))
		ADD_DEFECT(f->m, DEFECT_TRUNCATED_LIST);
#endif
	f->archive = true;
}
