/*
 * bounded.c
 *	  Work of libraries on what strangers sent, in a child process that may take
 *	  so much memory and processor time.
 *
 * A few kilobytes can make a library that unpacks take gigabytes, or minutes.
 * No property of them that is cheap to have bounds that, and a library that
 * can't have memory may end its process.  So it is a process of its own that
 * ends: by the kernel's limits, or by itself.  What it tells comes through a
 * pipe, record by record, and counts as far as it came.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "attachment.h"

#define MAX_BOUNDED_MEMORY	((size_t) 512 * 1024 * 1024)

/* Of all attachments of a message: processor time, and processes, each of which costs about as much as a message */
#define MAX_BOUNDED_USECS	10000000
#define MAX_BOUNDED_RUNS	100

/* Seconds of the clock, where a child does nothing */
#define MAX_BOUNDED_WAIT	120

/* Bytes that a child may tell */
#define MAX_TOLD			((size_t) 4 * 1024 * 1024)

/* The kind of the last record */
#define TOLD_ALL			'.'

/* Before the bytes of a record, which end with a zero that len counts */
typedef struct Record
{
	char		kind;
	guint32		len;
} Record;

/* ---- the child ---------------------------------------------------------------- */

static int	tells_to;

static void
write_all(const void *bytes, size_t len)
{
	const char *at = bytes;

	while (len > 0)
	{
		ssize_t		n = write(tells_to, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		at += n;
		len -= n;
	}
}

/* Tell the parent, from within the work */
void
bounded_tell(char kind, const char *s, size_t len)
{
	Record		record;

	memset(&record, 0, sizeof(record));
	record.kind = kind;
	record.len = len + 1;
	write_all(&record, sizeof(record));
	write_all(s, len);
	write_all("", 1);
}

/* Bytes of address space in use now; 0 where that can't be had */
static size_t
address_space(void)
{
	char		line[64];
	int			fd = open("/proc/self/statm", O_RDONLY);
	ssize_t		len = fd >= 0 ? read(fd, line, sizeof(line) - 1) : -1;

	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return 0;
	line[len] = '\0';
	return strtoull(line, NULL, 10) * sysconf(_SC_PAGESIZE);
}

static void
limit(int resource, rlim_t most)
{
	struct rlimit r;

	if (getrlimit(resource, &r) != 0)
		return;
	if (r.rlim_max == RLIM_INFINITY || most < r.rlim_max)
		r.rlim_max = most;
	r.rlim_cur = r.rlim_max;
	setrlimit(resource, &r);
}

/* All that the child does; it does not return. */
static void
child(int fd, int64_t usecs, void (*work) (void *arg), void *arg)
{
	size_t		used = address_space();
	int			nowhere = open("/dev/null", O_RDWR);
	sigset_t	none;

#ifdef __linux__
	prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	/* Who ends the parent lets it finish the message first. */
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	/* Another thread may have held a lock that is nobody's here. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGALRM, SIG_DFL);
	alarm(MAX_BOUNDED_WAIT);
	/* What libraries say is not for where messages are answered. */
	dup2(nowhere, STDOUT_FILENO);
	dup2(nowhere, STDERR_FILENO);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_CPU, (usecs + 999999) / 1000000);
	/* what is mapped already counts, so that has to be known */
	limit(used > 0 ? RLIMIT_AS : RLIMIT_DATA, used + MAX_BOUNDED_MEMORY);
	tells_to = fd;
	work(arg);
	bounded_tell(TOLD_ALL, "", 0);
	_exit(0);
}

/* ---- the parent --------------------------------------------------------------- */

/* What the child tells until it ends, or tells too much */
static GString *
hear(int fd)
{
	GString    *told = g_string_new(NULL);
	char		block[65536];
	ssize_t		n;

	while (told->len < MAX_TOLD && ((n = read(fd, block, sizeof(block))) > 0 || (n < 0 && errno == EINTR)))
		if (n > 0)
			g_string_append_len(told, block, n);
	close(fd);
	return told;
}

/* The child's end, and the processor time that it took */
static void
await(Message *m, pid_t pid)
{
	struct rusage took;
	pid_t		ended;

	memset(&took, 0, sizeof(took));
	while ((ended = wait4(pid, NULL, 0, &took)) < 0 && errno == EINTR)
		;
	m->bounded_usecs += (took.ru_utime.tv_sec + took.ru_stime.tv_sec) * INT64_C(1000000) +
		took.ru_utime.tv_usec + took.ru_stime.tv_usec;
}

/* Take whole records; false where the last of all is not among them */
static bool
take_records(const GString *told, void (*take) (char kind, const char *s, size_t len, void *arg), void *arg)
{
	size_t		at = 0;
	Record		record;

	while (told->len - at >= sizeof(record))
	{
		memcpy(&record, told->str + at, sizeof(record));
		at += sizeof(record);
		if (record.len == 0 || record.len > told->len - at || told->str[at + record.len - 1] != '\0')
			return false;
		if (record.kind == TOLD_ALL)
			return true;
		take(record.kind, told->str + at, record.len - 1, arg);
		at += record.len;
	}
	return false;
}

/*
 * Do the work in a child, and take what it tells.  False where it came to no
 * end: more memory or time was needed than there is for a message.
 */
bool
bounded_run(Message *m, void (*work) (void *arg), void (*take) (char kind, const char *s, size_t len, void *arg), void *arg)
{
	int			ends[2];
	pid_t		pid;
	GString    *told;
	bool		whole;

	if (m->bounded_usecs >= MAX_BOUNDED_USECS || m->bounded_runs >= MAX_BOUNDED_RUNS || pipe(ends) != 0)
		return false;
	m->bounded_runs++;
	/* else the time that the child took could not be had */
	signal(SIGCHLD, SIG_DFL);
	pid = fork();
	if (pid == 0)
	{
		close(ends[0]);
		child(ends[1], MAX_BOUNDED_USECS - m->bounded_usecs, work, arg);
	}
	close(ends[1]);
	if (pid < 0)
	{
		close(ends[0]);
		return false;
	}
	told = hear(ends[0]);
	await(m, pid);
	whole = take_records(told, take, arg);
	g_string_free(told, TRUE);
	return whole;
}
