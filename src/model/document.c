/*
 * document.c
 *		JSON and UBJSON documents; the one file that knows json-c.
 *
 * Both formats end up as json-c values, so that an importer reads them by
 * the same code.  UBJSON is what XGBoost writes by default: big-endian, a
 * type byte before each value, arrays optionally of one type with a count.
 *
 * Nothing here asks for more memory than the document's length justifies: a
 * count that the rest of the document can't hold is refused.
 */
#include "postgres.h"

#include <math.h>

#include <json-c/json.h>

#include "category.h"
#include "document.h"

/* Bytes handed to json-c between two looks at a cancel request */
#define CHUNK_BYTES		(1024 * 1024)

static inline json_object *
Json(Document *value)
{
	return (json_object *) value;
}

/*
 * json-c 0.18 takes bytes above 0x7f for control characters when it is strict
 * and for wrong UTF-8 when it validates.  They can only stand in strings, so a
 * document that has some is parsed from a copy with \u escapes instead.  The
 * text is valid UTF-8.  False: out of memory.
 */
static bool
EscapeNonAscii(const char **text, Size *length, char **copy)
{
	const unsigned char *p = (const unsigned char *) *text;
	const unsigned char *end = p + *length;
	Size		others = 0;
	char	   *to;

	for (Size i = 0; i < *length; i++)
		others += (p[i] >= 0x80);
	if (others == 0)
		return true;
	/* Two bytes become six, three six, four twelve. */
	*copy = to = malloc(*length + others * 2 + 1);
	if (to == NULL)
		return false;
	while (p < end)
	{
		uint32		c = *p++;
		int			more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;

		if (c < 0x80)
		{
			*to++ = (char) c;
			continue;
		}
		for (c &= 0x3f >> more; more > 0; more--)
			c = c << 6 | (*p++ & 0x3f);
		if (c >= 0x10000)
		{
			to += sprintf(to, "\\u%04x", 0xd7c0 + (c >> 10));
			c = 0xdc00 + (c & 0x3ff);
		}
		to += sprintf(to, "\\u%04x", c);
	}
	*length = to - *copy;
	*text = *copy;
	return true;
}

bool
DocumentCheckBytes(Size bytes, ModelError *error)
{
	if (bytes > DOCUMENT_MAX_BYTES)
		return ModelFail(error, MODEL_LIMIT,
						 "model document of %zu bytes exceeds the limit of %d bytes",
						 bytes, DOCUMENT_MAX_BYTES);
	return true;
}

static bool
CheckValues(Size values, ModelError *error)
{
	if (values > DOCUMENT_MAX_VALUES)
		return ModelFail(error, MODEL_LIMIT,
						 "model document holds more than %d values",
						 DOCUMENT_MAX_VALUES);
	return true;
}

/*
 * Is a text within the limit?	It holds no more values than marks outside of
 * strings, and one.  A text that is no JSON may be miscounted, but not one that
 * json-c takes: its strict mode still lets ' begin a name, which could hide all
 * that follows.
 */
static bool
CheckJson(const char *json, Size length, ModelError *error)
{
	Size		marks = 0;

	for (Size i = 0; i < length; i++)
	{
		if (json[i] == '"')
			while (++i < length && json[i] != '"')
				i += json[i] == '\\';
		else if (json[i] == '\'')
			return ModelFail(error, MODEL_INVALID,
							 "model document is not JSON: unexpected character at byte %zu",
							 i);
		else
			marks += json[i] == ',' || json[i] == ':' || json[i] == '[';
	}
	return CheckValues(marks, error);
}

Document   *
DocumentParseJson(const char *text, Size length, ModelError *error)
{
	json_tokener *tokener;
	json_object *result = NULL;
	enum json_tokener_error state = json_tokener_continue;
	Size		done = 0;
	char	   *escaped = NULL;

	if (!CheckJson(text, length, error))
		return NULL;
	if (!ModelIsUtf8((const unsigned char *) text, length))
	{
		ModelFail(error, MODEL_INVALID, "model document is not valid UTF-8");
		return NULL;
	}
	if (!EscapeNonAscii(&text, &length, &escaped))
	{
		ModelFail(error, MODEL_NO_MEMORY, "out of memory");
		return NULL;
	}
	tokener = json_tokener_new_ex(DOCUMENT_MAX_DEPTH);
	if (tokener == NULL)
	{
		free(escaped);
		ModelFail(error, MODEL_NO_MEMORY, "out of memory");
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	while (done < length && state == json_tokener_continue)
	{
		int			chunk = (int) Min(length - done, CHUNK_BYTES);

		if (ModelIsCancelled())
		{
			ModelFail(error, MODEL_CANCELLED, "canceled");
			break;
		}
		result = json_tokener_parse_ex(tokener, text +done, chunk);
		state = json_tokener_get_error(tokener);
		if (state == json_tokener_success)
			done += json_tokener_get_parse_end(tokener);
		else if (state == json_tokener_continue)
			done += chunk;
		else
			done += json_tokener_get_parse_end(tokener);
	}
	/* Only white space may follow */
	if (state == json_tokener_success)
		while (done < length && strchr(" \t\r\n", text[done]) != NULL &&
			   text[done] != '\0')
			done++;
	if (error->kind != MODEL_OK)
		 /* cancelled */ ;
	else if (state == json_tokener_continue)
		ModelFail(error, MODEL_INVALID,
				  "model document is not JSON: it ends too early");
	else if (state == json_tokener_error_depth)
		ModelFail(error, MODEL_LIMIT,
				  "model document is nested deeper than %d levels",
				  DOCUMENT_MAX_DEPTH);
	else if (state != json_tokener_success)
		ModelFail(error, MODEL_INVALID,
				  "model document is not JSON: %s at byte %zu",
				  json_tokener_error_desc(state), done);
	else if (done < length)
		ModelFail(error, MODEL_INVALID,
				  "model document is not JSON: something follows its end at byte %zu",
				  done);
	json_tokener_free(tokener);
	free(escaped);
	if (error->kind != MODEL_OK)
	{
		json_object_put(result);
		return NULL;
	}
	if (result == NULL)
		ModelFail(error, MODEL_INVALID, "model document is null");
	return (Document *) result;
}

/* A cursor over UBJSON bytes */
typedef struct Reader
{
	const unsigned char *bytes;
	Size		length;
	Size		at;
	Size		values;			/* so far */
	ModelError *error;
} Reader;

static bool
ReaderFail(Reader *reader, const char *what)
{
	return ModelFail(reader->error, MODEL_INVALID,
					 "model document is not UBJSON: %s at byte %zu",
					 what, reader->at);
}

static bool
ReaderMemory(Reader *reader)
{
	return ModelFail(reader->error, MODEL_NO_MEMORY, "out of memory");
}

static inline bool
ReadByte(Reader *reader, unsigned char *byte)
{
	if (reader->at >= reader->length)
		return ReaderFail(reader, "it ends too early");
	*byte = reader->bytes[reader->at++];
	return true;
}

/* The type of the next value, after any number of no-ops */
static bool
ReadType(Reader *reader, unsigned char *type)
{
	do
	{
		if (!ReadByte(reader, type))
			return false;
	} while (*type == 'N');
	return true;
}

/* n big-endian bytes, n <= 8 */
static bool
ReadBits(Reader *reader, int n, uint64 *bits)
{
	uint64		result = 0;

	if (reader->length - reader->at < n)
		return ReaderFail(reader, "it ends too early");
	for (int i = 0; i < n; i++)
		result = result << 8 | reader->bytes[reader->at++];
	*bits = result;
	return true;
}

static bool
ReadInteger(Reader *reader, unsigned char type, int64 *number)
{
	uint64		bits = 0;

	switch (type)
	{
		case 'i':
			if (!ReadBits(reader, 1, &bits))
				return false;
			*number = (int8) bits;
			return true;
		case 'U':
			if (!ReadBits(reader, 1, &bits))
				return false;
			*number = (uint8) bits;
			return true;
		case 'I':
			if (!ReadBits(reader, 2, &bits))
				return false;
			*number = (int16) bits;
			return true;
		case 'l':
			if (!ReadBits(reader, 4, &bits))
				return false;
			*number = (int32) bits;
			return true;
		case 'L':
			if (!ReadBits(reader, 8, &bits))
				return false;
			*number = (int64) bits;
			return true;
		default:
			return ReaderFail(reader, "an integer is missing");
	}
}

/*
 * A count or length with its type.  What it counts takes at least a byte
 * each, so the rest of the document bounds it.
 */
static bool
ReadCount(Reader *reader, int64 *count)
{
	unsigned char type;

	if (!ReadType(reader, &type) || !ReadInteger(reader, type, count))
		return false;
	if (*count < 0 || *count > reader->length - reader->at)
		return ReaderFail(reader, "a length is out of range");
	return true;
}

static bool
ReadString(Reader *reader, const char **string, int64 *length)
{
	if (!ReadCount(reader, length))
		return false;
	*string = (const char *) reader->bytes + reader->at;
	reader->at += *length;
	return true;
}

static bool ReadValue(Reader *reader, unsigned char type, int depth,
					  json_object **value);

/* After '[' or '{': the optional "$ type" and "# count"; count -1: none */
static bool
ReadContainer(Reader *reader, unsigned char *type, int64 *count)
{
	unsigned char mark = 0;

	*type = 0;
	*count = -1;
	if (reader->at < reader->length && reader->bytes[reader->at] == '$')
	{
		reader->at++;
		if (!ReadByte(reader, type))
			return false;
		if (!ReadByte(reader, &mark))
			return false;
		if (mark != '#')
			return ReaderFail(reader, "a typed container has no count");
		return ReadCount(reader, count);
	}
	if (reader->at < reader->length && reader->bytes[reader->at] == '#')
	{
		reader->at++;
		return ReadCount(reader, count);
	}
	return true;
}

static bool
ReadArray(Reader *reader, int depth, json_object **value)
{
	json_object *array;
	unsigned char element;
	unsigned char type;
	int64		count;

	if (!ReadContainer(reader, &element, &count))
		return false;
	if (!CheckValues(reader->values + Max(count, 0), reader->error))
		return false;
	if (element == 'T' || element == 'F' || element == 'Z' || element == 'N')
		return ReaderFail(reader, "an array's elements have no bytes");
	array = json_object_new_array_ext((int) Max(Min(count, 1024), 4));
	if (array == NULL)
		return ReaderMemory(reader);
	*value = array;				/* freed by the caller, whatever follows */
	for (int64 i = 0; count < 0 || i < count; i++)
	{
		json_object *member = NULL;

		type = element;
		if (element == 0)
		{
			if (!ReadType(reader, &type))
				return false;
			if (count < 0 && type == ']')
				return true;
		}
		if (!ReadValue(reader, type, depth, &member))
		{
			json_object_put(member);
			return false;
		}
		if (json_object_array_add(array, member) != 0)
		{
			json_object_put(member);
			return ReaderMemory(reader);
		}
	}
	return true;
}

static bool
ReadObject(Reader *reader, int depth, json_object **value)
{
	json_object *object;
	unsigned char element;
	int64		count;

	if (!ReadContainer(reader, &element, &count))
		return false;
	object = json_object_new_object();
	if (object == NULL)
		return ReaderMemory(reader);
	*value = object;			/* freed by the caller, whatever follows */
	for (int64 i = 0; count < 0 || i < count; i++)
	{
		json_object *member = NULL;
		const char *string;
		char	   *key;
		int64		length;
		unsigned char type = element;

		while (reader->at < reader->length && reader->bytes[reader->at] == 'N')
			reader->at++;
		if (count < 0 && reader->at < reader->length &&
			reader->bytes[reader->at] == '}')
		{
			reader->at++;
			return true;
		}
		if (!ReadString(reader, &string, &length))
			return false;
		key = strndup(string, length);
		if (key == NULL)
			return ReaderMemory(reader);
		if ((element == 0 && !ReadType(reader, &type)) ||
			!ReadValue(reader, type, depth, &member))
		{
			json_object_put(member);
			free(key);
			return false;
		}
		if (json_object_object_add(object, key, member) != 0)
		{
			json_object_put(member);
			free(key);
			return ReaderMemory(reader);
		}
		free(key);
	}
	return true;
}

static bool
ReadValue(Reader *reader, unsigned char type, int depth, json_object **value)
{
	const char *string;
	int64		length;
	int64		integer;
	uint64		bits = 0;
	char		character;

	if (depth >= DOCUMENT_MAX_DEPTH)
		return ModelFail(reader->error, MODEL_LIMIT,
						 "model document is nested deeper than %d levels",
						 DOCUMENT_MAX_DEPTH);
	if (!CheckValues(++reader->values, reader->error))
		return false;
	switch (type)
	{
		case '[':
			if (ModelIsCancelled())
				return ModelFail(reader->error, MODEL_CANCELLED, "canceled");
			return ReadArray(reader, depth + 1, value);
		case '{':
			return ReadObject(reader, depth + 1, value);
		case 'Z':
			*value = NULL;
			return true;
		case 'T':
		case 'F':
			*value = json_object_new_boolean(type == 'T');
			break;
		case 'd':
			{
				union
				{
					uint32		i;
					float		f;
				}			u;

				if (!ReadBits(reader, 4, &bits))
					return false;
				u.i = (uint32) bits;
				*value = json_object_new_double(u.f);
				break;
			}
		case 'D':
			{
				union
				{
					uint64		i;
					double		f;
				}			u;

				if (!ReadBits(reader, 8, &bits))
					return false;
				u.i = bits;
				*value = json_object_new_double(u.f);
				break;
			}
		case 'C':
			if (!ReadBits(reader, 1, &bits))
				return false;
			character = (char) bits;
			*value = json_object_new_string_len(&character, 1);
			break;
		case 'S':
		case 'H':
			if (!ReadString(reader, &string, &length))
				return false;
			*value = json_object_new_string_len(string, (int) length);
			break;
		case 'i':
		case 'U':
		case 'I':
		case 'l':
		case 'L':
			if (!ReadInteger(reader, type, &integer))
				return false;
			*value = json_object_new_int64(integer);
			break;
		default:
			return ReaderFail(reader, "unknown type");
	}
	return *value != NULL || ReaderMemory(reader);
}

Document   *
DocumentParseUbjson(const char *bytes, Size length, ModelError *error)
{
	Reader		reader = {(const unsigned char *) bytes, length, 0, 0, error};
	json_object *result = NULL;
	unsigned char type;

	if (ReadType(&reader, &type) && ReadValue(&reader, type, 0, &result))
	{
		if (reader.at < length)
			ReaderFail(&reader, "something follows its end");
		else if (result == NULL)
			ModelFail(error, MODEL_INVALID, "model document is null");
	}
	if (error->kind != MODEL_OK)
	{
		json_object_put(result);
		return NULL;
	}
	return (Document *) result;
}

void
DocumentFree(Document *document)
{
	json_object_put(Json(document));
}

Document   *
DocumentMember(Document *object, const char *key)
{
	json_object *value;

	if (!json_object_is_type(Json(object), json_type_object) ||
		!json_object_object_get_ex(Json(object), key, &value))
		return NULL;
	return (Document *) value;
}

Size
DocumentLength(Document *array)
{
	if (!json_object_is_type(Json(array), json_type_array))
		return 0;
	return json_object_array_length(Json(array));
}

Document   *
DocumentElement(Document *array, Size i)
{
	if (i >= DocumentLength(array))
		return NULL;
	return (Document *) json_object_array_get_idx(Json(array), i);
}

bool
DocumentEach(Document *object, void **position, const char **key,
			 Document **value)
{
	struct lh_entry *entry;

	if (!json_object_is_type(Json(object), json_type_object))
		return false;
	if (*position == NULL)
		entry = json_object_get_object(Json(object))->head;
	else
		entry = ((struct lh_entry *) *position)->next;
	if (entry == NULL)
		return false;
	*position = entry;
	*key = (const char *) entry->k;
	*value = (Document *) entry->v;
	return true;
}

bool
DocumentKnowsMembers(Document *object, const char *where,
					 const char *const *known, ModelError *error)
{
	void	   *position = NULL;
	const char *key;
	Document   *value;

	if (error->kind != MODEL_OK)
		return false;
	while (DocumentEach(object, &position, &key, &value))
	{
		int			i = 0;

		while (known[i] != NULL && strcmp(known[i], key) != 0)
			i++;
		if (known[i] != NULL)
			continue;
		ModelFail(error, MODEL_UNSUPPORTED,
				  "model document has a member \"%.60s\" in \"%s\" that is not known",
				  key, where);
		snprintf(error->hint, sizeof(error->hint),
				 "It may change predictions. Perhaps the file is by a release of the library that is too new for this version of pg_assay.");
		return false;
	}
	return true;
}

bool
DocumentIsObject(Document *value)
{
	return json_object_is_type(Json(value), json_type_object);
}

bool
DocumentIsArray(Document *value)
{
	return json_object_is_type(Json(value), json_type_array);
}

bool
DocumentIsString(Document *value)
{
	return json_object_is_type(Json(value), json_type_string);
}

/* The text that a number was written as, if the value has one */
static const char *
NumberText(Document *value)
{
	if (DocumentIsString(value))
		return json_object_get_string(Json(value));
	if (json_object_is_type(Json(value), json_type_double))
		return (const char *) json_object_get_userdata(Json(value));
	return NULL;
}

/*
 * Strings of numbers are decimal: strtod's hexadecimal and its surrounding
 * white space would be a mistyped document.
 */
static bool
IsDecimal(const char *text)
{
	if (strcmp(text, "NaN") == 0 || strcmp(text, "Infinity") == 0 ||
		strcmp(text, "-Infinity") == 0)
		return true;
	return text[0] != '\0' && strspn(text, "0123456789+-.eE") == strlen(text);
}

bool
DocumentNumber(Document *value, double *number)
{
	const char *text;
	char	   *end;

	switch (json_object_get_type(Json(value)))
	{
		case json_type_int:
			/* json-c clips what exceeds an int64 instead of refusing it */
			if (json_object_get_int64(Json(value)) == PG_INT64_MAX ||
				json_object_get_int64(Json(value)) == PG_INT64_MIN)
				return false;
			*number = json_object_get_double(Json(value));
			return true;
		case json_type_double:
			*number = json_object_get_double(Json(value));
			return true;
		case json_type_string:
			text = json_object_get_string(Json(value));

			if (!IsDecimal(text))
				return false;
			*number = strtod(text, &end);
			return *end == '\0';
		default:
			return false;
	}
}

/*
 * A decimal that is rounded to float64 first and then to float32 can end up
 * beside the nearest float32, so the text is read again.
 */
bool
DocumentSingle(Document *value, float *number)
{
	const char *text = NumberText(value);
	double		wide;
	char	   *end;

	if (!DocumentNumber(value, &wide))
		return false;
	if (text !=NULL && IsDecimal(text))
	{
		*number = strtof(text, &end);
		return *end == '\0';
	}
	*number = (float) wide;
	return true;
}

bool
DocumentInteger(Document *value, int64 min, int64 max, int64 *number)
{
	double		wide;

	if (json_object_is_type(Json(value), json_type_int))
	{
		*number = json_object_get_int64(Json(value));
		return *number >= min && *number <= max;
	}
	if (!DocumentNumber(value, &wide) || wide != floor(wide) ||
		fabs(wide) > 9007199254740992.0)
		return false;
	*number = (int64) wide;
	return *number >= min && *number <= max;
}

bool
DocumentBoolean(Document *value, bool *boolean)
{
	if (json_object_is_type(Json(value), json_type_boolean))
	{
		*boolean = json_object_get_boolean(Json(value));
		return true;
	}
	if (json_object_is_type(Json(value), json_type_int))
	{
		int64		number = json_object_get_int64(Json(value));

		*boolean = number == 1;
		return number == 0 || number == 1;
	}
	return false;
}

bool
DocumentNumberName(Document *value, char *name)
{
	double		number;

	if (DocumentIsString(value) || !DocumentNumber(value, &number))
		return false;
	if (json_object_is_type(Json(value), json_type_int))
		snprintf(name, MODEL_NUMBER_NAME, INT64_FORMAT,
				 (int64) json_object_get_int64(Json(value)));
	else
		ModelNumberName(number, name);
	return true;
}

bool
DocumentString(Document *value, const char **string)
{
	if (!DocumentIsString(value))
		return false;
	*string = json_object_get_string(Json(value));
	return strlen(*string) == json_object_get_string_len(Json(value));
}
