/*
 * fuzz_value.c
 *		Any bytes as a compiled model: a damaged page, and what model_recv gets.
 *
 * Most mutations of bytes break the offsets, which the header's counts
 * determine.  So half of them change one field in place, a fourth repairs
 * length and offsets afterwards.
 */
#include "postgres.h"

#include "exercise.h"

extern int	LLVMFuzzerTestOneInput(const uint8 *data, size_t length);
extern size_t LLVMFuzzerCustomMutator(uint8 *data, size_t length,
									  size_t max_length, unsigned int seed);
extern size_t LLVMFuzzerMutate(uint8 *data, size_t length, size_t max_length);

/* Make length and offsets say what the counts say */
static void
Repair(uint8 *data, size_t length)
{
	Model		header;
	Size		size;

	memcpy(&header, data, sizeof(header));
	ModelLayout(&header, &size);
	SET_VARSIZE(&header, length);
	header.version = MODEL_VERSION;
	header.reserved = 0;
	memcpy(data, &header, sizeof(header));
}

size_t
LLVMFuzzerCustomMutator(uint8 *data, size_t length, size_t max_length,
						unsigned int seed)
{
	static const uint64 values[] = {
		0, 1, 2, 3, 4, 7, 8, 31, 32, 63, 64, 255, 512, 65535, 0x7fffffff,
		0xffffffff, 0x80000000, UINT64CONST(0x7ff0000000000000),
		UINT64CONST(0x7ff8000000000000), UINT64CONST(0x7fefffffffffffff)
	};

	if (length < sizeof(Model) || seed % 4 == 0)
	{
		length = LLVMFuzzerMutate(data, length, max_length);
		if (length >= sizeof(Model) && seed / 4 % 2)
			Repair(data, length);
		return length;
	}
	for (uint32 n = seed / 4 % 3 + 1; n > 0; n--)
	{
		uint32		width = 1 << (seed = seed * 1103515245 + 12345) / 65536 % 4;
		size_t		at;
		uint64		value;

		seed = seed * 1103515245 + 12345;
		at = (seed / 16 % (length / width)) * width;
		seed = seed * 1103515245 + 12345;
		memcpy(&value, data + at, Min(width, length - at));
		value = seed & 0x10000 ? values[seed / 131072 % lengthof(values)] :
			value + (int64) (seed / 131072 % 7) - 3;
		memcpy(data + at, &value, Min(width, length - at));
	}
	if (seed & 0x20000)
		Repair(data, length);
	return length;
}

/*
 * As model_recv: the counts determine the layout, the rest of the bytes fill
 * it, and what is derived is made anew.
 */
static void
Receive(const uint8 *data, size_t length)
{
	Model		header;
	ModelError	error;
	Model	   *body;
	Model	   *model;
	Size		size;

	if (length < sizeof(Model))
		return;
	memcpy(&header, data, sizeof(header));
	header.nlanebytes = 0;
	if (!ModelLayout(&header, &size) || size > (1 << 20))
		return;
	body = calloc(1, size);
	memcpy(body, data, Min(length, size));
	memcpy(body, &header, sizeof(header));
	SET_VARSIZE(body, size);
	memset(&error, 0, sizeof(error));
	model = ModelComplete(body, size, &size, &error);
	free(body);
	if (model == NULL)
		ExerciseError(&error);
	else
		ExerciseModel(model, size, false, data, length);
	free(model);
}

int
LLVMFuzzerTestOneInput(const uint8 *data, size_t length)
{
	ModelError	error;
	Model	   *model;

	/* The server's memory is aligned; a value has at least a length word. */
	if (length < VARHDRSZ)
		return 0;
	model = malloc(length);
	memcpy(model, data, length);
	memset(&error, 0, sizeof(error));
	if (CheckModel(model, length, &error))
		ExerciseModel(model, length, false, data, length);
	else
		ExerciseError(&error);
	free(model);
	Receive(data, length);
	return 0;
}
