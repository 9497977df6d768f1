/*
 * compile_child.c
 *		Compiling patterns in a child process, within limits of time and memory.
 *
 * The library that compiles expressions can't be interrupted, and a few dozen
 * characters can keep it busy for minutes and make it take gigabytes.  No
 * property of a pattern that is cheap to have bounds that.  So match.c hands
 * the work to a process that is forked for it: it has a limit of CPU time (by
 * a timer that ends it) and of memory (by the kernel's limit on its address
 * space), and the backend waits for it in short steps, so that a cancel or
 * termination is served within one, and kills it then.
 *
 * The child touches nothing of PostgreSQL's: it gives up shared memory first,
 * has default signal handlers, runs the plain C of match.c, writes what that
 * gave to a pipe, and leaves by _exit().  It dies with its parent.
 *
 * What comes through the pipe is a series of records, each with a header:
 *
 *		RECORD_PROGRESS		the pattern that is compiled next, -1 for all
 *		RECORD_RESULT		the outcome, then `len` bytes of database
 */
#include "postgres.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "miscadmin.h"
#include "storage/pg_shmem.h"
#include "utils/guc.h"

#include "compile_child.h"
#include "match.h"

#define COMPILE_TIMEOUT_MIN		10	/* ms */
#define COMPILE_TIMEOUT_DEFAULT	60000
#define COMPILE_TIMEOUT_MAX		INT_MAX

#define COMPILE_MEMORY_MIN		16384	/* kB */
#define COMPILE_MEMORY_DEFAULT	524288
#define COMPILE_MEMORY_MAX		MAX_KILOBYTES

/* How long a request to stop may go unseen */
#define STEP_MS					20

/* A database that is larger is refused: a value could not hold it. */
#define RESULT_MAX_BYTES		((Size) 512 * 1024 * 1024)

typedef enum RecordKind
{
	RECORD_PROGRESS,
	RECORD_RESULT
} RecordKind;

typedef struct Record
{
	RecordKind	kind;
	MatchStatus status;
	MatchError	error;			/* or only the pattern under way */
	Size		len;			/* bytes that follow */
} Record;

static int	compile_timeout = COMPILE_TIMEOUT_DEFAULT;
static int	compile_memory = COMPILE_MEMORY_DEFAULT;

/* How often compiling was stopped since CompileChildStart() */
static int	stops = 0;

/* ---- the child ----------------------------------------------------------- */

/* Write all, or die: nobody else reads. */
static void
WriteAll(int fd, const void *bytes, Size len)
{
	const char *at = bytes;

	while (len > 0)
	{
		ssize_t		written = write(fd, at, len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			_exit(1);
		at += written;
		len -= written;
	}
}

/* A MatchProgress: the parent names the last pattern told, if that is all. */
static void
TellProgress(int pattern, void *arg)
{
	Record		record;

	memset(&record, 0, sizeof(record));
	record.kind = RECORD_PROGRESS;
	record.error.pattern = pattern;
	WriteAll(*(int *) arg, &record, sizeof(record));
}

/* Kilobytes of address space in use now; 0 where that can't be had */
static uint64
AddressSpace(void)
{
	char		line[64];
	int			fd = open("/proc/self/statm", O_RDONLY);
	ssize_t		len;

	if (fd < 0)
		return 0;
	len = read(fd, line, sizeof(line) - 1);
	close(fd);
	if (len <= 0)
		return 0;
	line[len] = '\0';
	return strtoull(line, NULL, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

/*
 * Milliseconds that it may take.  What runs restricted, as a policy's phrases do, is
 * not cut short by who is in the session.
 */
static int
TimeLimit(void)
{
	return InSecurityRestrictedOperation() ? Max(compile_timeout, COMPILE_TIMEOUT_DEFAULT) : compile_timeout;
}

/* Let the kernel end it when it takes too long, and refuse it more memory. */
static void
LimitChild(void)
{
	int			ms = TimeLimit();
	struct itimerval timer = {{0, 0}, {ms / 1000, ms % 1000 * 1000}};
	struct rlimit limit;
	uint64		used = AddressSpace();

	/* What is mapped already counts, so that has to be known. */
	int			resource = used > 0 ? RLIMIT_AS : RLIMIT_DATA;

	setitimer(ITIMER_PROF, &timer, NULL);
	if (getrlimit(resource, &limit) == 0)
	{
		rlim_t		most = (rlim_t) (used + compile_memory) * 1024;

		if (limit.rlim_max == RLIM_INFINITY || most < limit.rlim_max)
			limit.rlim_cur = limit.rlim_max = most;
		else
			limit.rlim_cur = limit.rlim_max;
		setrlimit(resource, &limit);
	}
}

/* All that the child does; it does not return. */
static void
ChildMain(int fd, MatchJob job, void *arg)
{
	Record		record;
	char	   *bytes = NULL;
	size_t		len = 0;
	sigset_t	none;

	/* The server's handlers look at shared memory. */
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	PGSharedMemoryDetach();
	LimitChild();

	memset(&record, 0, sizeof(record));
	record.kind = RECORD_RESULT;
	record.status = job(arg, TellProgress, &fd, &bytes, &len, &record.error);
	record.len = len;
	WriteAll(fd, &record, sizeof(record));
	WriteAll(fd, bytes, len);
	_exit(0);
}

/* ---- the parent ---------------------------------------------------------- */

/* What is known of a child */
typedef struct Child
{
	pid_t		pid;
	int			fd;				/* to read from */
	int			pattern;		/* it was last seen at */
} Child;

/* Note what is wrong, with a number in it */
static MatchStatus
ChildFault(MatchError *error, MatchStatus status, int pattern, const char *format, int number)
{
	error->pattern = pattern;
	snprintf(error->message, sizeof(error->message), format, number);
	return status;
}

/* Must the wait end?  At any interrupt once, then only for what ends it all. */
static bool
MustStop(void)
{
	if (!InterruptPending || !INTERRUPTS_CAN_BE_PROCESSED())
		return false;
	return stops == 0 || QueryCancelPending || ProcDiePending;
}

/* Read so many bytes; MATCH_INTERNAL where the child has ended before. */
static MatchStatus
ReadAll(const Child *child, void *bytes, Size len)
{
	char	   *at = bytes;

	while (len > 0)
	{
		struct pollfd wait = {child->fd, POLLIN, 0};
		ssize_t		got;

		if (MustStop())
			return MATCH_STOPPED;
		if (poll(&wait, 1, STEP_MS) <= 0)
			continue;
		got = read(child->fd, at, len);
		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return MATCH_INTERNAL;
		at += got;
		len -= got;
	}
	return MATCH_OK;
}

/* The child's records up to its result */
static MatchStatus
ReadResult(Child *child, char **bytes, size_t *len, MatchError *error)
{
	Record		record;
	MatchStatus status;

	do
	{
		status = ReadAll(child, &record, sizeof(record));
		if (status != MATCH_OK)
			return status;
		child->pattern = record.error.pattern;
	} while (record.kind == RECORD_PROGRESS);

	*error = record.error;
	if (record.status != MATCH_OK)
	{
		if (record.status == MATCH_NO_MEMORY)
			return ChildFault(error, MATCH_TOO_BIG, record.error.pattern,
							  "compiling takes more than %d MB of memory", compile_memory / 1024);
		return record.status;
	}
	if (record.len > RESULT_MAX_BYTES)
		return ChildFault(error, MATCH_TOO_BIG, -1, "the compiled form is too big", 0);
	*bytes = malloc(Max(record.len, 1));
	if (*bytes == NULL)
		return ChildFault(error, MATCH_NO_MEMORY, -1, "out of memory", 0);
	*len = record.len;
	return ReadAll(child, *bytes, record.len);
}

/* End the child, if it is there still; how it ended */
static int
ReapChild(const Child *child, bool end)
{
	int			how = 0;

	close(child->fd);
	if (end)
		kill(child->pid, SIGKILL);
	while (waitpid(child->pid, &how, 0) < 0 && errno == EINTR);
	return how;
}

/* Why a child ended without a result */
static MatchStatus
DiedOf(int how, int pattern, MatchError *error)
{
	if (WIFSIGNALED(how) && WTERMSIG(how) == SIGPROF)
		return ChildFault(error, MATCH_TOO_BIG, pattern,
						  "compiling takes more than %d ms", TimeLimit());
	if (WIFSIGNALED(how))
		return ChildFault(error, MATCH_TOO_BIG, pattern,
						  "compiling was ended by signal %d", WTERMSIG(how));
	return ChildFault(error, MATCH_TOO_BIG, pattern, "compiling came to no end", 0);
}

/* Start the child; false where the system has no room for one */
static bool
StartChild(Child *child, MatchJob job, void *arg)
{
	int			fds[2];
	sigset_t	all;
	sigset_t	before;
	pid_t		parent = getpid();

	child->pattern = -1;
	if (pipe(fds) < 0)
		return false;
	/* No handler of the server's may run in the child. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	child->pid = fork();
	if (child->pid == 0)
	{
		close(fds[0]);
#ifdef __linux__
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
#endif
		ChildMain(fds[1], job, arg);
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fds[1]);
	child->fd = fds[0];
	if (child->pid > 0)
		return true;
	close(fds[0]);
	return false;
}

/* A MatchRunner: nothing here throws, as match.c holds memory meanwhile. */
static MatchStatus
RunInChild(MatchJob job, void *arg, char **bytes, size_t *len, MatchError *error)
{
	Child		child;
	MatchStatus status;
	int			how;

	*bytes = NULL;
	*len = 0;
	if (!StartChild(&child, job, arg))
		return ChildFault(error, MATCH_NO_MEMORY, -1, "could not start a process", 0);
	status = ReadResult(&child, bytes, len, error);
	how = ReapChild(&child, status != MATCH_OK);
	if (status == MATCH_INTERNAL && error->message[0] == '\0')
		status = DiedOf(how, child.pattern, error);
	if (status != MATCH_OK)
	{
		free(*bytes);
		*bytes = NULL;
		*len = 0;
	}
	if (status == MATCH_STOPPED)
		stops++;
	return status;
}

/*
 * Before something is compiled, perhaps in several tries: the first stops at
 * any interrupt, so that it is served; what comes of it was no cancel then, and
 * the others stop only for one.
 */
void
CompileChildStart(void)
{
	stops = 0;
}

void
CompileChildInit(void)
{
	DefineCustomIntVariable("assay.phrase_compile_timeout",
							"CPU time that compiling a phrases value may take.",
							"Literals are compiled fast, and are not limited unless they are many.",
							&compile_timeout,
							COMPILE_TIMEOUT_DEFAULT, COMPILE_TIMEOUT_MIN, COMPILE_TIMEOUT_MAX,
							PGC_USERSET, GUC_UNIT_MS, NULL, NULL, NULL);
	DefineCustomIntVariable("assay.phrase_compile_memory",
							"Memory that compiling a phrases value may take.",
							NULL,
							&compile_memory,
							COMPILE_MEMORY_DEFAULT, COMPILE_MEMORY_MIN, COMPILE_MEMORY_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
	MatchSetRunner(RunInChild);
}
