# The commands of the project; each is a script of its own in scripts/ and pgrx-tests/.
# Run `make help` for the list. Settings are given behind the command: make demo SCHEMA=dump.sql KEEP=1

SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help demo stop test test-citus install uninstall clean
# Cargo has its own parallelism, and the suites share one scratch server directory.
.NOTPARALLEL:

# What a user may set; passed on by the environment, so that paths with spaces arrive whole.
export PG_CONFIG SCHEMA DATABASE SIZES KEEP INSTALLED SUITES OBJECTS SEED CASES FAILURES ONLY

help:
	@printf '%s\n' \
	  'make demo                        build, install, plan the payment example on a private scratch PostgreSQL' \
	  'make demo SCHEMA=dump.sql        plan a dump of your own: plain, custom, tar or directory format' \
	  '          SIZES=sizes.csv          its row counts, lines of table,rows' \
	  '          DATABASE=name            which database, where the dump holds several' \
	  '          KEEP=1                   leave the scratch server running' \
	  '          INSTALLED=1              take the extension that is installed, build nothing' \
	  'make stop                        stop a scratch server that was kept' \
	  'make test                        every check, and true counts at the end' \
	  '          SUITES="format lint shell planner backend sql isolation replication stress differential dump restore corpus experts oracle script citus migration"   only these' \
	  'make test-citus                  random schemas, asked of the Citus of that server, and migrated there (SEED=n CASES=n)' \
	  'make install PG_CONFIG=...       build, and install into that server' \
	  'make uninstall PG_CONFIG=...     take out of that server what install put there' \
	  'make clean                       remove what was built, and the scratch server' \
	  '' \
	  'PG_CONFIG works with each command; without it: PostgreSQL 15 of Debian, installed if missing.'

demo:
	@scripts/demo.sh

stop:
	@scripts/stop.sh

test:
	@scripts/test.sh

test-citus:
	@SUITES="$${SUITES:-citus migration}" scripts/test.sh

install:
	@scripts/install.sh

uninstall:
	@scripts/uninstall.sh

clean:
	@scripts/clean.sh
