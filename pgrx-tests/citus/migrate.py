#!/usr/bin/env python3
"""Migrates populated schemas on a live Citus, by the script that the installed advisor writes, and looks whether all is there.

usage: migrate.py --socket DIR --port COORDINATOR --bindir DIR --out DIR random|payments|corpus|failures [options]

The cluster is that of pgrx-tests/citus/cluster.sh. What is looked at is what an owner of the database would: rows by
count and checksum, everything that snapshot.sql finds in the catalog, the roles, columns and groups of the plan. What is
not as it was must have been named before: by a row of plan_issues, or a step that announces a loss.
"""

import argparse
import concurrent.futures
import glob
import hashlib
import json
import os
import re
import subprocess
import sys
import threading
import time
import traceback

import populated
from live import Server, literal

HERE = os.path.dirname(os.path.abspath(__file__))
PROJECT = os.path.dirname(os.path.dirname(HERE))
with open(os.path.join(HERE, "snapshot.sql")) as file:
    SNAPSHOT = file.read()
# What a step that reports a trouble of the whole script begins with.
ERROR = re.compile(r"^(?:psql:[^\n]*: )?(?:ERROR|FATAL|PANIC):  .*", re.M)


class Fault(Exception):
    """Something that a migration must not do."""


class Case:
    """A populated database on the cluster, and what was in it before."""

    def __init__(self, server, name, folder, options):
        self.server, self.database, self.folder, self.options = server, "%s_%s" % (name, threading.get_ident() % 100000), folder, options
        self.faults = []
        os.makedirs(folder, exist_ok=True)

    def sql(self, text, check=True, database=None, **more):
        return self.server.psql(database or self.database, text, check=check, **more)

    def rows_of(self, query, database=None):
        out, _ = self.sql("SELECT coalesce(json_agg(r), '[]') FROM (%s) AS r;" % query, database=database)
        return json.loads(out)

    def save(self, name, text):
        with open(os.path.join(self.folder, name), "w") as file:
            file.write(text)

    def create(self, template="with_citus"):
        drop(self.server, self.database)
        for port in range(3 if template == "with_citus" else 1):
            self.server.psql("postgres", "CREATE DATABASE %s TEMPLATE %s;" % (self.database, template), port=port)

    def copy_of(self, other):
        """The same database again, on every node."""
        drop(self.server, self.database)
        for port in range(3):
            self.server.psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s;\n"
                             "CREATE DATABASE %s TEMPLATE %s;" % (literal(other.database), self.database, other.database), port=port)

    def load(self, statements):
        answers = self.server.each(self.database, statements)
        self.save("schema.sql", "".join("%s%s;\n" % ("" if e is None else "-- refused: ", s.replace("\n", " ") if e else s)
                                        for s, e in zip(statements, answers)))
        self.save("refused.txt", "".join("%s\n    %s\n" % (s, e) for s, e in zip(statements, answers) if e))

    def install_advisor(self):
        self.sql("SET citus.enable_ddl_propagation = off; CREATE EXTENSION IF NOT EXISTS citus_advisor;")

    # What is there ------------------------------------------------------------------------------------------------------

    def snapshot(self):
        out, _ = self.sql(SNAPSHOT)
        return {(kind, relation, name): value for kind, relation, name, value in map(json.loads, out.splitlines())}

    def checksums(self):
        """Of each table and view the rows, sorted; partitions are in their parents."""
        names, _ = self.sql("SET search_path = ''; SELECT oid::regclass FROM pg_class c WHERE relkind IN ('r', 'p') AND NOT relispartition "
                            "AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'citus', 'citus_internal', 'advisor', "
                            "'planned_migration') AND relname !~ '_1[0-9]{5}$' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = "
                            "'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY 1;")
        names = names.splitlines()
        text = "SET row_security = off; SET search_path = ''; SET extra_float_digits = 1;\n" + "".join(
            "\\echo @@%d\nCOPY (SELECT * FROM %s) TO STDOUT;\n" % pair for pair in enumerate(names))
        out, _ = self.sql(text)
        parts = re.split(r"^@@(\d+)\n", out, flags=re.M)[1:]
        return {names[int(n)]: (len(rows.splitlines()), hashlib.md5("\n".join(sorted(rows.splitlines())).encode()).hexdigest())
                for n, rows in zip(parts[::2], parts[1::2])}

    # Planning and running -----------------------------------------------------------------------------------------------

    def plan(self, database=None, overrides=None):
        arguments = "overrides => %s" % literal(json.dumps(overrides)) if overrides else ""
        self.arguments = arguments
        self.planned_in = database or self.database
        self.issues = self.rows_of("SELECT * FROM advisor.plan_issues(%s)" % arguments, database)
        self.tables = self.rows_of("SELECT * FROM advisor.plan_tables(%s)" % arguments, database)
        self.steps = self.rows_of("SELECT * FROM advisor.migration_steps(%s) ORDER BY step" % arguments, database)
        self.script, _ = self.sql("SELECT advisor.plan_distribution(%s%sformat => 'sql');" % (arguments, ", " if arguments else ""), database=database)
        self.save("script.sql", self.script)

    def run(self, text, name, flags=()):
        """As a DBA would. Returns what psql said, and its status."""
        path = os.path.join(self.folder, name)
        with open(path, "w") as file:
            file.write(text)
        done = subprocess.run(self.server.command("psql", self.database, "-X", "-f", path, *flags), capture_output=True, text=True,
                              env={**os.environ, "PGOPTIONS": "-c lc_messages=C", "PGCLIENTENCODING": "UTF8"}, timeout=self.options.timeout)
        self.save(name + ".out", done.stdout + "\n-- stderr\n" + done.stderr)
        return done.stdout + done.stderr, done.returncode

    # The verdict --------------------------------------------------------------------------------------------------------

    def fault(self, text):
        self.faults.append(text)

    def named(self, kind, relation, name, before, after):
        """Whether the plan has said that this object would be lost or otherwise."""
        raw = re.sub(r'^"(.*)"$', lambda m: m[1].replace('""', '"'), name.rsplit(".", 1)[-1])
        for issue in self.issues:
            if issue["effect"] != "advice" and issue["relation"] in (relation, self.root_of(relation)) and issue["object_name"] in (name, raw):
                return True
        return any(s["relation"] in (relation, self.root_of(relation)) and s["statement"].startswith("-- ") and ('"%s"' % raw) in s["statement"]
                   for s in self.steps)

    def root_of(self, relation):
        return self.parents.get(relation, relation)

    def explained(self, key, before, after):
        """Differences that are the migration's work."""
        kind, relation, name = key
        placed = {t["relation"]: t for t in self.tables}
        mine = placed.get(self.root_of(relation))
        column = mine and mine["distribution_column"]
        if kind in ("constraint p", "constraint u", "index") and before and after and column:
            quoted = r'(?:"%s"|%s)' % (re.escape(column.replace('"', '""')), re.escape(column))
            # The distribution column went to the front of a key, from wherever it was.
            without = lambda text: re.sub(r"\(\s*,\s*", "(", re.sub(r"(?<=[(,]) ?%s(?=[,)])" % quoted, "", text)).replace("(,", "(").replace(",)", ")")
            strip = lambda text: re.sub(r" INCLUDE \(\)", "", without(text))
            if "UNIQUE" in before or "PRIMARY KEY" in before:
                return strip(before) == strip(after)
        if kind == "column" and before and after and name == column:
            return before.replace(" | f | ", " | t | ", 1) == after or re.sub(r" \| f \|", " | t |", before, 1) == after
        return False

    def compare(self, before, after):
        self.parents = {}
        found = self.rows_of("SELECT format('%I.%I', n.nspname, c.relname) AS leaf, (SELECT format('%I.%I', rn.nspname, rc.relname) FROM pg_class rc "
                             "JOIN pg_namespace rn ON rn.oid = rc.relnamespace WHERE rc.oid = pg_partition_root(c.oid)) AS root "
                             "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relispartition AND relkind IN ('r', 'p')")
        self.parents = {r["leaf"]: r["root"] for r in found}
        for key in sorted(before.keys() | after.keys()):
            was, now = before.get(key), after.get(key)
            if was == now or self.explained(key, was, now):
                continue
            if self.named(*key, was, now):
                continue
            self.fault("%s %s of %s: %s" % (key[0], key[2], key[1], "lost: " + str(was) if now is None else
                                            "new: " + str(now) if was is None else "was %s\n        is  %s" % (was, now)))

    def compare_rows(self, before, after):
        for table in sorted(before.keys() | after.keys()):
            if before.get(table) != after.get(table):
                self.fault("rows of %s: %s before, %s after" % (table, before.get(table), after.get(table)))

    def compare_roles(self):
        there = {r["relation"]: r for r in self.rows_of(
            "SELECT format('%I.%I', n.nspname, c.relname) AS relation, CASE WHEN partmethod = 'h' THEN 'distributed' WHEN repmodel = 't' "
            "THEN 'reference' ELSE 'local' END AS role, column_to_column_name(logicalrelid, partkey) AS distribution_column, colocationid "
            "FROM pg_dist_partition JOIN pg_class c ON c.oid = logicalrelid JOIN pg_namespace n ON n.oid = relnamespace")}
        ids, labels = {}, {}
        for table in self.tables:
            now = there.get(table["relation"], {"role": "local", "distribution_column": None})
            if (now["role"], now["distribution_column"]) != (table["role"], table["distribution_column"]):
                self.fault("%s is %s by %s, planned %s by %s" % (table["relation"], now["role"], now["distribution_column"], table["role"], table["distribution_column"]))
            elif table["role"] == "distributed":
                label, number = table["colocation_group"], now["colocationid"]
                if ids.setdefault(label, number) != number or labels.setdefault(number, label) != label:
                    self.fault("%s is in colocation group %s, not with the others of %s" % (table["relation"], number, label))

    def nothing_left(self):
        self.install_advisor()
        again = self.rows_of("SELECT * FROM advisor.migration_steps(%s)" % self.arguments)
        if again:
            now = {t["relation"]: t for t in self.rows_of("SELECT * FROM advisor.plan_tables(%s)" % self.arguments)}
            for t in self.tables:
                n = now[t["relation"]]
                if any(n[k] != t[k] for k in ("role", "distribution_column", "colocation_group")):
                    self.fault("%s was planned %s by %s, and is planned %s by %s" % (t["relation"], t["role"], t["distribution_column"], n["role"], n["distribution_column"]))
            self.fault("planned again, there are %d steps: %s" % (len(again), [(s["phase"], s["relation"], s["because"][:90]) for s in again if s["phase"] not in ("prepare",)][:3] or again[0]))
        blocked = self.rows_of("SELECT * FROM advisor.check_distribution() WHERE effect = 'blocked'")
        for issue in blocked:
            self.fault("check_distribution(): %s %s of %s: %s" % (issue["code"], issue["object_name"], issue["relation"], issue["message"]))
        left, _ = self.sql("SELECT nspname FROM pg_namespace WHERE nspname ~ 'migration';")
        if left.strip():
            self.fault("schema %s was left behind" % left.strip())

    def said_no_error(self, said, status, what="the script"):
        errors = ERROR.findall(said)
        if errors or status:
            at = said[max(0, said.find(errors[0])):][:1500] if errors else said[-800:]
            self.fault("%s ended in an error (%s): %s" % (what, status, at))
        return not errors and not status

    def compare_all(self, before, rows):
        self.compare_rows(rows, self.checksums())
        after = self.snapshot()
        self.compare(before, after)
        self.compare_roles()
        self.nothing_left()


def gexec(arguments):
    return "SELECT statement FROM advisor.migration_steps(%s) ORDER BY step \\gexec\n" % arguments


def drop(server, database):
    for port in range(3):
        server.psql("postgres", "DROP DATABASE IF EXISTS %s WITH (FORCE);" % database, port=port, check=False)


def try_random(server, seed, options):
    """A seed in one of the ways in which a plan becomes a migration."""
    case = Case(server, "random", os.path.join(options.out, "seed-%06d" % seed), options)
    elsewhere = Case(server, "plain", os.path.join(options.out, "seed-%06d" % seed, "plain"), options) if seed % 4 == 2 else None
    statements = populated.generate(seed)
    overrides = populated.overrides(seed)
    try:
        case.create()
        case.load(statements)
        case.sql("ANALYZE;")
        if elsewhere:
            elsewhere.create("with_advisor")
            elsewhere.load(statements)
            elsewhere.sql("ANALYZE;")
        else:
            case.install_advisor()
        before, rows = case.snapshot(), case.checksums()
        if sum(n for n, _ in rows.values()) < 20:
            case.fault("only %d rows were loaded" % sum(n for n, _ in rows.values()))
        case.plan(elsewhere.database if elsewhere else None, overrides)
        way = {0: "file", 1: "gexec", 2: "elsewhere", 3: "one transaction"}[seed % 4]
        if way == "gexec":
            said, status = case.run(gexec(case.arguments), "run.sql")
        else:
            said, status = case.run(case.script, "run.sql", ["-1"] if way == "one transaction" else [])
        if case.said_no_error(said, status):
            case.compare_all(before, rows)
    finally:
        if not options.keep:
            for one in filter(None, (case, elsewhere)):
                drop(server, one.database)
    roles = [t["role"] for t in case.tables]
    return case.faults, "%d tables: %d distributed, %d reference, %d local; %d rows; %s" % (
        len(roles), roles.count("distributed"), roles.count("reference"), roles.count("local"), sum(n for n, _ in rows.values()), way)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bindir", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--timeout", type=int, default=300, help="seconds for a script")
    parser.add_argument("--keep", action="store_true", help="leave the databases")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("what", choices=["random"])
    options = parser.parse_args()
    server = Server(options.socket, options.port, options.bindir)
    ways = {"random": (try_random, range(options.seed, options.seed + options.cases))}
    attempt, cases = ways[options.what]
    good, started = 0, time.time()

    def one(case):
        try:
            return case, *attempt(server, case, options)
        except Exception as error:
            return case, ["could not be tried: %s" % (error if isinstance(error, RuntimeError) else traceback.format_exc())], ""

    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for case, faults, summary in pool.map(one, cases):
            good += not faults
            if faults or options.verbose:
                print("%s %s: %s" % ("FAILED" if faults else "ok    ", case, summary))
            for fault in faults[:8]:
                print("    " + fault.strip().replace("\n", "\n    "))
            if len(faults) > 8:
                print("    and %d more" % (len(faults) - 8))
            sys.stdout.flush()
    print("%s: %d/%d ok in %d s" % (options.what, good, len(cases), time.time() - started))
    return 0 if good == len(cases) else 1


if __name__ == "__main__":
    sys.exit(main())
