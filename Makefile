# pg_assay: a detection engine for message tables, inside PostgreSQL
#
#   make             build the extension and the client program (CLIENT=no: without)
#   make install     install them into the PostgreSQL that PG_CONFIG names
#   make installcheck  the SQL tests, on the running server that PGHOST, PGPORT name
#   make test        every test, in a private cluster under build/
#   make test-16     the same on PostgreSQL 16, 17 or 18, which is fetched first
#   make test-asan   the SQL tests under sanitizers; test-valgrind: under valgrind
#   make docs-check  what README and docs show; make reference writes docs/reference anew
#   make demo        the main job on real mail, in a private cluster
#   make bench       measure; prints markdown tables
#   make indent      format the C sources with PostgreSQL's own tool
#   make help        these lines

# All paths are of this folder: there is no building in another one (VPATH).
ifneq ($(realpath $(dir $(firstword $(MAKEFILE_LIST)))),$(realpath .))
$(error pg_assay can only be built in its own folder: make -C $(dir $(firstword $(MAKEFILE_LIST))))
endif

EXTENSION = pg_assay
EXTVERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" pg_assay.control)

# No machine-specific flags by default: what is built here runs anywhere.
OPTFLAGS =

# The newest PostgreSQL on the machine that has its server headers
PG_CONFIG ?= $(shell tools/pg_config)
PGXS := $(if $(PG_CONFIG),$(shell $(PG_CONFIG) --pgxs))
ifneq ($(PGXS),)

# Modules in dependency order; the install script is their SQL in this order.
# Within one, the file of its name comes first, the others by theirs.
MODULES_IN_ORDER = model text baseline policy report onboard
SQL_FIRST = $(wildcard src/$(1)/assay.sql src/$(1)/assay_alone.sql src/$(1)/$(1).sql)
SQL_OF_MODULE = $(SQL_FIRST) $(filter-out $(SQL_FIRST),$(sort $(wildcard src/$(1)/*.sql)))
SQL_SECTIONS = $(foreach m,$(MODULES_IN_ORDER),$(call SQL_OF_MODULE,$(m)))
EXTENSION_SQL = $(EXTENSION)--$(EXTVERSION).sql

# What leads here from the version before (upgrade/README.md): the files of the
# list, whole or the functions that it names, then the parts that it doesn't name.
UPGRADE = $(patsubst upgrade/%.new,%,$(wildcard upgrade/*--$(EXTVERSION).new))
ifneq ($(UPGRADE),)
UPGRADE_SQL = $(EXTENSION)--$(UPGRADE).sql
UPGRADE_LIST = upgrade/$(UPGRADE).new
UPGRADE_NEW = $(sort $(shell sed 's/\#.*//' $(UPGRADE_LIST) | cut -d' ' -f1))
UPGRADE_REST = $(filter-out $(UPGRADE_NEW),$(sort $(wildcard upgrade/$(UPGRADE).d/*.sql)))
endif

# The e-mail pack, an extension of SQL: its files in the order of its script
PACK = pg_assay_email
PACK_VERSION = $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" packs/email/$(PACK).control)
PACK_SQL = $(PACK)--$(PACK_VERSION).sql
PACK_SECTIONS = src/model/assay_alone.sql $(patsubst %,packs/email/%.sql,lists brands phrases signals detectors columns policy)
PACK_OLDER = $(wildcard packs/email/$(PACK)--*.sql)

MODULE_big = $(EXTENSION)
OBJS = $(patsubst %.c,%.o,$(wildcard src/*.c) \
	$(foreach m,$(MODULES_IN_ORDER),$(sort $(wildcard src/$(m)/*.c))))
DATA = $(wildcard upgrade/$(EXTENSION)--*.sql) packs/email/$(PACK).control $(PACK_OLDER)
DATA_built = $(EXTENSION_SQL) $(UPGRADE_SQL) $(PACK_SQL)
INCLUDED = $(wildcard include/*.h)

# The client program is built and installed beside PostgreSQL's own
CLIENT = yes
PROGRAMS = assay_load assay_stream
PROGRAM_SRC = $(wildcard src/bin/*.c)
ifneq ($(CLIENT),no)
SCRIPTS_built = $(addprefix src/bin/,$(PROGRAMS))
endif

# make installcheck: what pg_regress runs, with or without preloading; what
# makes clusters of its own (t/*.pl) is for `make test`.
REGRESS = $(REGRESS_ALL)
ISOLATION = $(ISOLATION_ALL)
REGRESS_OPTS = --load-extension=$(EXTENSION) --encoding=UTF8 --no-locale
ISOLATION_OPTS = --load-extension=$(EXTENSION) --encoding=UTF8 --no-locale

PKGS_SERVER = libhs json-c libpsl icu-i18n icu-uc
PKGS_CLIENT = gmime-3.0 gumbo json-c libpsl icu-uc zlib

# Contraction into fused multiply-add would change scores in the last bit.
# Only what SQL calls is seen from outside, which 15 doesn't do by itself.
PG_CPPFLAGS = -Iinclude $(shell pkg-config --cflags $(PKGS_SERVER) 2>/dev/null)
PG_CFLAGS = -fvisibility=hidden -ffp-contract=off $(OPTFLAGS)
SHLIB_LINK = $(shell pkg-config --libs $(PKGS_SERVER) 2>/dev/null) -lm
ifneq ($(filter 15.%,$(shell $(PG_CONFIG) --version)),)
PG_CPPFLAGS += -include visibility.h
endif

EXTRA_CLEAN = $(EXTENSION)--*.sql $(PACK)--*.sql src/bin/*.o $(addprefix src/bin/,$(PROGRAMS))

include $(PGXS)

# A function of ours wins over another library's of the same name.
ifneq ($(PORTNAME),darwin)
SHLIB_LINK += -Wl,-Bsymbolic
endif

# Bitcode, which JIT may inline, doesn't get PG_CFLAGS.
BITCODE_CFLAGS += -ffp-contract=off

# PGXS tracks headers only where PostgreSQL was built with --enable-depend.
$(OBJS): $(INCLUDED) Makefile

# $(call assemble,COMMAND TO LOAD IT,LINES AS IN A LIST OF upgrade/)
define assemble
	{ printf '/* %s: assembled from the modules under src; edit those */\n\n' '$@'; \
	  printf '\\echo Use "%s" to load this file. \\quit\n' '$(1)'; \
	  { $(2); } | awk -f upgrade/assemble.awk; } >$@.tmp
	mv $@.tmp $@
endef

$(EXTENSION_SQL): $(SQL_SECTIONS) upgrade/assemble.awk pg_assay.control Makefile
	$(call assemble,CREATE EXTENSION pg_assay,printf '%s\n' $(SQL_SECTIONS))

ifneq ($(UPGRADE),)
$(UPGRADE_SQL): $(UPGRADE_NEW) $(UPGRADE_REST) $(UPGRADE_LIST) $(wildcard upgrade upgrade/$(UPGRADE).d) upgrade/assemble.awk pg_assay.control Makefile
	$(call assemble,ALTER EXTENSION pg_assay UPDATE,cat $(UPGRADE_LIST); printf '%s\n' $(UPGRADE_REST))
endif

$(PACK_SQL): $(PACK_SECTIONS) upgrade/assemble.awk packs/email/$(PACK).control Makefile
	$(call assemble,CREATE EXTENSION $(PACK),printf '%s\n' $(PACK_SECTIONS))

# PGXS looks for programs in the folder where they were built.
uninstall: uninstall-client
uninstall-client:
	$(if $(SCRIPTS_built),rm -f $(foreach p,$(PROGRAMS),'$(DESTDIR)$(bindir)/$(p)'))

# What is used where it is there; assay_load --version and assay_stream --version tell
OPTIONAL = ISAL=libisal LIBARCHIVE=libarchive LIBMAGIC=libmagic LIBCRYPTO=libcrypto ZBAR=zbar,gdk-pixbuf-2.0 RDKAFKA=rdkafka
comma = ,
FOUND = $(foreach o,$(OPTIONAL),$(shell pkg-config --exists $(subst $(comma), ,$(lastword $(subst =, ,$(o)))) && echo $(o)))
PKGS_FOUND = $(subst $(comma), ,$(foreach o,$(FOUND),$(lastword $(subst =, ,$(o)))))

# What it shares with the server: plain C
PROGRAM_SHARED = $(addprefix src/text/,auth_facts.o message_facts.o organization.o received_facts.o \
	text_facts.o unicode.o url_facts.o url_summary.o)
PROGRAM_CFLAGS = $(foreach o,$(FOUND),-DHAVE_$(firstword $(subst =, ,$(o)))) \
	-Iinclude $(shell pkg-config --cflags $(PKGS_CLIENT) $(PKGS_FOUND) 2>/dev/null) -I$(shell $(PG_CONFIG) --includedir)
PROGRAM_OBJS = $(PROGRAM_SRC:.c=.o)
# GMime 3.2.15 gave one of its functions another argument.
GMIME_HEADER = $(shell pkg-config --variable=includedir gmime-3.0 2>/dev/null)/gmime-3.0/gmime/gmime-parser-options.h
PROGRAM_CFLAGS += $(shell grep -qs 'user_data, GDestroyNotify' $(GMIME_HEADER) && echo -DGMIME_WARNING_NOTIFY)
src/bin/%.o: src/bin/%.c $(wildcard src/bin/*.h) $(INCLUDED) pg_assay.control Makefile
	$(CC) $(filter-out -fPIC,$(CFLAGS)) $(PROGRAM_CFLAGS) -DASSAY_VERSION='"$(EXTVERSION)"' -c -o $@ $<
# What only one of the programs has
LOAD_OBJS = $(addprefix src/bin/,assay_load.o copy.o feedback.o gunzip.o reparse.o source.o)
STREAM_OBJS = $(filter src/bin/assay_stream.o src/bin/stream_%.o,$(PROGRAM_OBJS))
PROGRAM_COMMON = $(filter-out $(LOAD_OBJS) $(STREAM_OBJS),$(PROGRAM_OBJS)) $(PROGRAM_SHARED)
PROGRAM_LINK = $(CC) $(CFLAGS) -o $@ $^ $(LDFLAGS) -L$(shell $(PG_CONFIG) --libdir) -lpq
src/bin/assay_load: $(LOAD_OBJS) $(PROGRAM_COMMON)
	$(PROGRAM_LINK) $(shell pkg-config --libs $(PKGS_CLIENT) $(filter-out rdkafka,$(PKGS_FOUND))) -lm
	@$(foreach o,$(filter-out $(FOUND),$(OPTIONAL)),echo 'the programs are built without $(subst $(comma), and ,$(lastword $(subst =, ,$(o))))';)
src/bin/assay_stream: $(STREAM_OBJS) $(PROGRAM_COMMON)
	$(PROGRAM_LINK) $(shell pkg-config --libs $(PKGS_CLIENT) $(filter-out libisal,$(PKGS_FOUND))) -lm

else
# Nothing to build with yet: `make test` and `make demo` install it.
all install installcheck uninstall clean:
	@echo 'no PostgreSQL with server headers found; "make packages" installs what is needed' >&2; exit 1
endif

# ---- everything below runs without a PostgreSQL on the machine --------------

# make test REGRESS=model ISOLATION= TAP=   runs one pg_regress test
REGRESS_ALL = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
ISOLATION_ALL = $(patsubst specs/%.spec,%,$(sort $(wildcard specs/*.spec)))
TAP_ALL = $(sort $(wildcard t/*.pl))
tests = $(if $(filter undefined file,$(origin $(1))),$($(1)_ALL),$($(1)))

help:
	@sed -n '3,/^$$/s/^#//p' $(firstword $(MAKEFILE_LIST))

packages:
	tools/packages

test: packages
	REGRESS='$(call tests,REGRESS)' ISOLATION='$(call tests,ISOLATION)' TAP='$(call tests,TAP)' \
		tools/test

# every block of SQL in README and docs runs, and the reference is what the catalogue says
DOCS_TESTS = t/readme.pl $(wildcard t/*_docs.pl) t/docs.pl t/recipes_load.pl t/email_pack.pl t/text_model.pl
docs-check: packages
	REGRESS= ISOLATION= TAP='$(DOCS_TESTS)' tools/test
reference: packages
	tools/reference

demo:
	tools/packages demo
	demo/run $(CORPUS)
	$(if $(CORPUS),demo/email $(CORPUS))

# on other PostgreSQLs than the machine's (chroots need root)
test-16:
	tools/postgres16 test
test-17:
	tools/chroot trixie 17 test
test-18:
	tools/chroot forky 18 test

# build anew with sanitizers, or run in valgrind
test-asan:
	tools/sanitize asan
test-valgrind:
	tools/sanitize valgrind

demo-stop:
	tools/cluster stop demo

bench: packages
	bench/run

INDENT_FLAGS = -bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 \
	-l79 -lp -lpl -nip -npro -sac -tpg -ts4
C_SOURCES = $(wildcard src/*.c src/*/*.c src/*/*.h include/*.h)
indent:
	new=$$(mktemp) && for f in $(C_SOURCES); do \
		pg_bsd_indent $(INDENT_FLAGS) -Utypedefs.list $$f $$new || exit 1; \
		cmp -s $$f $$new || cat $$new >$$f; \
	done; rm -f $$new

.PHONY: help packages docs-check reference test test-16 test-17 test-18 test-asan test-valgrind demo demo-stop bench indent
