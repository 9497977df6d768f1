/*
 * attached.c
 *	  What is known of attachments, as columns and as JSON.
 */
#include <string.h>

#include "attachment.h"

#define MAX_SUFFIX			16

/* The suffix of a file's name in lower case, or NULL; blanks and dots behind it don't count */
char	   *
attached_suffix(const char *name)
{
	size_t		len = name != NULL ? strlen(name) : 0;
	size_t		n = 0;

	while (len > 0 && (name[len - 1] == ' ' || name[len - 1] == '.'))
		len--;
	while (n < len && g_ascii_isalnum(name[len - n - 1]))
		n++;
	if (n == 0 || n > MAX_SUFFIX || n == len || name[len - n - 1] != '.')
		return NULL;
	return g_ascii_strdown(name + len - n, n);
}

/* Note a suffix, unless it is known already */
static void
add_suffix(Message *m, const char *name)
{
	char	   *suffix = attached_suffix(name);

	for (guint i = 0; suffix != NULL && i < m->attachment_suffixes->len; i++)
		if (strcmp(m->attachment_suffixes->pdata[i], suffix) == 0)
		{
			g_free(suffix);
			return;
		}
	if (suffix != NULL)
		g_ptr_array_add(m->attachment_suffixes, suffix);
}

/* The name of an archive's entry, clean, within bounds */
void
findings_add_entry(Findings *f, const char *name)
{
	char	   *clean;

	if (f->m->num_entries >= MAX_ENTRIES || f->m->entry_bytes + strlen(name) > MAX_ENTRY_BYTES)
	{
		ADD_DEFECT(f->m, DEFECT_TRUNCATED_LIST);
		return;
	}
	clean = text_clean(name, -1, f->m, DEFECT_BAD_CHARSET);
	f->m->num_entries++;
	f->m->entry_bytes += strlen(clean);
	g_ptr_array_add(f->entries, clean);
}

/* "key":"value", or null */
static void
add_json_member(GString *json, const char *key, const char *value)
{
	g_string_append_printf(json, "\"%s\":", key);
	if (value != NULL)
		text_json_string(json, value);
	else
		g_string_append(json, "null");
}

/* What a JSON array of attachments has of one */
static void
add_attachment_json(GString *json, const Attachment *a)
{
	g_string_append(json, json->len == 0 ? "[{" : ",{");
	add_json_member(json, "name", a->name);
	g_string_append_c(json, ',');
	add_json_member(json, "type", a->type);
	if (a->size >= 0)
		g_string_append_printf(json, ",\"size\":%" PRId64, a->size);
	else
		g_string_append(json, ",\"size\":null");
	if (a->sha256 != NULL)
	{
		g_string_append_c(json, ',');
		add_json_member(json, "sha256", a->sha256);
	}
	if (a->detected != NULL)
	{
		g_string_append_c(json, ',');
		add_json_member(json, "detected", a->detected);
	}
	if (a->archive)
		g_string_append(json, ",\"archive\":true");
	if (a->encrypted)
		g_string_append(json, ",\"encrypted\":true");
	if (a->macros)
		g_string_append(json, ",\"macros\":true");
	if (a->disguised)
		g_string_append(json, ",\"disguised\":true");
	if (a->entries != NULL && a->entries->len > 0)
	{
		g_string_append(json, ",\"entries\":");
		for (guint i = 0; i < a->entries->len; i++)
		{
			g_string_append_c(json, i == 0 ? '[' : ',');
			text_json_string(json, a->entries->pdata[i]);
		}
		g_string_append_c(json, ']');
	}
	g_string_append_c(json, '}');
}

static void
add_copy(GPtrArray *list, const char *s)
{
	g_ptr_array_add(list, g_strdup(s != NULL ? s : ""));
}

/* Note the suffixes of a name and of what is within */
static void
add_suffixes(Message *m, const Attachment *a)
{
	add_suffix(m, a->name);
	for (guint i = 0; a->entries != NULL && i < a->entries->len; i++)
		add_suffix(m, a->entries->pdata[i]);
}

/* Note an attachment */
void
message_add_attachment(Message *m, const Attachment *a)
{
	if (m->attachment_count >= MAX_ATTACHMENTS)
	{
		ADD_DEFECT(m, DEFECT_TRUNCATED_LIST);
		return;
	}
	m->attachment_count++;
	add_attachment_json(m->attachments, a);
	if (a->size > 0 && a->size < INT64_MAX - m->attachment_bytes)
		m->attachment_bytes += a->size;
	m->attachment_archives += a->archive;
	m->attachment_encrypted += a->encrypted;
	m->attachment_macros += a->macros;
	m->attachment_type_mismatches += a->disguised;
	add_copy(m->attachment_names, a->name);
	add_copy(m->attachment_types, a->type);
	add_copy(m->attachment_detected, a->detected);
	add_copy(m->attachment_sha256, a->sha256);
	for (guint i = 0; a->entries != NULL && i < a->entries->len; i++)
		add_copy(m->attachment_entries, a->entries->pdata[i]);
	add_suffixes(m, a);
}
