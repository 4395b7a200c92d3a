#!/usr/bin/env python3
"""Migrates populated schemas on a live Citus, by the script that the installed advisor writes, and looks whether all is there.

usage: migrate.py --socket DIR --port COORDINATOR --bindir DIR --out DIR random|difference|payments|writer|corpus|failures|mutations [options]

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
with open(os.path.join(HERE, "nodes.sql")) as file:
    NODES = file.read()
with open(os.path.join(HERE, "fill.sql")) as file:
    FILL = file.read()
# What a step that reports a trouble of the whole script begins with.
ERROR = re.compile(r"^(?:psql:[^\n]*: )?(?:ERROR|FATAL|PANIC):  .*", re.M)


# Objects that a plan may lose.
WORDS = ("primary key", "unique", "unique index", "exclusion", "foreign key", "trigger", "policy")


def one_line(text):
    return re.sub(r"[\x00-\x1f]", " ", text)


def is_widened(before, after):
    """Whether a foreign key is the same but for a column in front on both sides, or changes of a key that Citus never makes."""
    form = re.compile(r"FOREIGN KEY \((.*)\) REFERENCES (.*)\((.*?)\)( MATCH FULL)?((?: ON UPDATE (?:CASCADE|RESTRICT|SET NULL|SET DEFAULT))?)(.*)", re.S)
    was, now = form.fullmatch(before), form.fullmatch(after)
    if not was or not now or was[2] != now[2] or was[6] != now[6]:
        return False
    pairs, wider = [list(zip(*[re.findall(r'"(?:[^"]|"")*"|[^", ]+', m[n]) for n in (1, 3)])) for m in (was, now)]
    return wider[-len(pairs):] == pairs and len(wider) <= len(pairs) + 1 and now[4] in (was[4], None) and now[5] in (was[5], "")


def printed_again(text):
    """PostgreSQL names a column of a subquery when it prints what it has read from its own print."""
    return text and re.sub(r"('(?:[^']|'')*'::\w+) AS \w+\)", r"\1)", text)


class Case:
    """A populated database on the cluster, and what was in it before."""

    def __init__(self, server, name, folder, options):
        self.server, self.database, self.folder, self.options = server, "%s_%s" % (name, threading.get_ident() % 100000), folder, options
        self.faults, self.parents, self.columns, self.announcements = [], {}, {}, (None, set())
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
            # Citus' own daemon comes back at any time.
            for attempt in range(10):
                try:
                    self.server.psql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s;\n"
                                     "CREATE DATABASE %s TEMPLATE %s;" % (literal(other.database), self.database, other.database), port=port)
                    break
                except RuntimeError as error:
                    if attempt == 9 or "is being accessed by other users" not in str(error):
                        raise
                    time.sleep(0.3)

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
        there, _ = self.sql("SET search_path = ''; SELECT json_build_array(oid::regclass, (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) "
                            "FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)) FROM pg_class c WHERE relkind IN ('r', 'p') AND NOT relispartition "
                            "AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'citus', 'citus_internal', 'advisor', "
                            "'planned_migration') AND relname !~ '_1[0-9]{5}$' AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = "
                            "'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') ORDER BY oid::regclass::text;")
        there = [json.loads(line) for line in there.splitlines()]
        # Columns that a migration adds are not what was there.
        for name, columns in there:
            self.columns.setdefault(name, columns)
        names = [name for name, _ in there]
        text = "SET row_security = off; SET search_path = ''; SET extra_float_digits = 1;\n" + "".join(
            "\\echo @@%d\nCOPY (SELECT %s FROM %s) TO STDOUT;\n" % (n, self.columns[name] or "", name) for n, name in enumerate(names))
        out, _ = self.sql(text)
        parts = re.split(r"^@@(\d+)\n", out, flags=re.M)[1:]
        return {names[int(n)]: (len(rows.splitlines()), hashlib.md5("\n".join(sorted(rows.splitlines())).encode()).hexdigest())
                for n, rows in zip(parts[::2], parts[1::2])}

    # Planning and running -----------------------------------------------------------------------------------------------

    def plan(self, database=None, overrides=None):
        arguments = "overrides => %s" % literal(json.dumps(overrides)) if overrides else ""
        self.arguments, self.overrides = arguments, json.dumps(overrides or {})
        self.planned_in = database or self.database
        self.issues = self.rows_of("SELECT * FROM advisor.plan_issues(%s)" % arguments, database)
        self.tables = self.rows_of("SELECT * FROM advisor.plan_tables(%s)" % arguments, database)
        self.steps = self.rows_of("SELECT * FROM advisor.migration_steps(%s) ORDER BY step" % arguments, database)
        self.script, _ = self.sql("SELECT advisor.plan_distribution(%s%sformat => 'sql');" % (arguments, ", " if arguments else ""), database=database)
        self.save("script.sql", self.script)
        self.save("model.json", self.sql("SELECT advisor.schema_model();", database=database)[0])
        self.rollback, _ = self.sql("SELECT advisor.plan_distribution(%s%sformat => 'rollback');" % (arguments, ", " if arguments else ""), database=database)

    def rehearse(self, before, rows):
        """Rehearses the plan: nothing may be left of it, and the steps for which a rehearsal says an error are returned."""
        nodes = "SELECT (SELECT json_agg(c ORDER BY c) FROM (SELECT count(*) AS c FROM pg_class UNION ALL SELECT count(*) FROM pg_namespace UNION ALL " \
                "SELECT count(*) FROM pg_proc UNION ALL SELECT count(*) FROM pg_dist_partition UNION ALL SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()) AS x)"
        count = lambda: [self.server.psql(self.database, nodes, port=port)[0] for port in range(3)]
        there = count()
        told = self.rows_of("SELECT * FROM advisor.rehearse_migration(%s) ORDER BY step" % self.arguments)
        if count() != there:
            self.fault("the rehearsal has left something behind: %s before, %s after" % (there, count()))
        self.compare_rows(rows, self.checksums())
        after = self.snapshot()
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                self.fault("the rehearsal has changed %s: %s, now %s" % (key, before.get(key), after.get(key)))
        if [r["statement"] for r in told if r["step"]] != [s["statement"] for s in self.steps]:
            self.fault("the rehearsal is of other steps than the plan's")
        self.save("rehearsal.txt", "".join("%s %s\n    %s\n" % (r["step"], r["statement"][:200], r["outcome"]) for r in told))
        return ["step %d (%s): %s" % (r["step"], self.steps[r["step"] - 1]["phase"], r["outcome"]) for r in told if r["outcome"].startswith("ERROR")]

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
        raw = name if kind != "statistics" else re.sub(r'^"(.*)"$', lambda m: m[1].replace('""', '"'), name.rsplit(".", 1)[-1])
        owners = (relation, self.root_of(relation))
        if kind.startswith("constraint") or kind in ("index", "trigger", "policy"):
            # A loss is a step of its own. What comes back has the form that it had, or one that explained() knows.
            said = ["Lost: %s \"%s\" of %s." % (word, raw, owner) for owner in owners for word in WORDS]
            said += ["Not re-created: foreign key \"%s\" of %s." % (raw, owner) for owner in owners]
            return after is None and any(one_line(text) in told for text in said for told in self.announced())
        if after is None and any("Lost: view %s. " % relation in told for told in self.announced()):
            return True
        for issue in self.issues:
            if kind == "sequence" and issue["object_type"] == "sequence" and issue["object_name"] in (relation, relation.split(".", 1)[-1].strip('"')):
                return True
            if issue["effect"] != "advice" and issue["relation"] in owners and issue["object_name"] in (name, raw):
                return True
        return False

    def announced(self):
        """What the steps say of losses."""
        if self.announcements[0] is not self.steps:
            texts = (s["because"] + s["statement"] for s in self.steps)
            self.announcements = self.steps, {t for t in texts if "Lost: " in t or "Not re-created: " in t}
        return self.announcements[1]

    def root_of(self, relation):
        if not self.parents:
            found = self.rows_of(
                "SELECT format('%I.%I', n.nspname, c.relname) AS leaf, (SELECT format('%I.%I', rn.nspname, rc.relname) FROM pg_class rc "
                "JOIN pg_namespace rn ON rn.oid = rc.relnamespace WHERE rc.oid = pg_partition_root(c.oid)) AS root "
                "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE relispartition AND relkind IN ('r', 'p')")
            self.parents = {r["leaf"]: r["root"] for r in found} or {"": ""}
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
        if kind == "constraint f" and before and after:
            return is_widened(before, after)
        if kind == "column" and before is None and name == column:
            added = "ADD COLUMN %s " % (column if re.fullmatch("[a-z_][a-z0-9_]*", column) else '"%s"' % column.replace('"', '""'))
            return any(s["phase"] == "prepare" and s["relation"] == self.root_of(relation) and added in s["statement"] for s in self.steps)
        if kind == "column" and before and after and name == column:
            return before.replace(" | f | ", " | t | ", 1) == after or re.sub(r" \| f \|", " | t |", before, 1) == after
        return False

    def compare(self, before, after):
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

    def compare_nodes(self):
        """Whether shards, and the tables of the same name on the workers, have what the coordinator shows."""
        out, _ = self.sql(NODES)
        for line in out.splitlines():
            relation, where, here, there = json.loads(line)
            self.fault("%s is otherwise %s:\n        here  %s\n        there %s" % (relation, where, here, there))

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
        # In one transaction the script cannot. One by one: all at once Citus sees a deadlock now and then.
        self.sql("SELECT 'ANALYZE ' || logicalrelid FROM pg_dist_partition ORDER BY 1 \\gexec")
        self.install_advisor()
        again = self.rows_of("SELECT * FROM advisor.migration_steps(%s)" % self.arguments)
        if again:
            # Both can be planned again without a server: cargo run --example replay.
            self.save("model-after.json", self.sql("SELECT advisor.schema_model();")[0])
            now, was = ({t["relation"]: "%s by %s in %s" % (t["role"], t["distribution_column"], t["colocation_group"]) for t in tables}
                        for tables in (self.rows_of("SELECT * FROM advisor.plan_tables(%s)" % self.arguments), self.tables))
            moved = [s["relation"] for s in again if s["phase"] in ("reference", "distribute")]
            self.fault("planned again, there are %d steps; %d tables move: %s" % (len(again), len(moved), "; ".join(
                "%s, %s, then %s" % (t, was.get(t), now.get(t)) for t in moved[:6]) or again[-2]["because"]))
        blocked = self.rows_of("SELECT * FROM advisor.check_distribution() WHERE effect = 'blocked'")
        for issue in blocked:
            self.fault("check_distribution(): %s %s of %s: %s" % (issue["code"], issue["object_name"], issue["relation"], issue["message"]))
        left, _ = self.sql("SELECT nspname FROM pg_namespace WHERE nspname ~ 'migration';")
        if left.strip():
            self.fault("schema %s was left behind" % left.strip())

    def nothing_forgotten(self, before):
        """In the middle of a migration: each constraint is there, or written down, or its loss was named."""
        noted = set()
        there, _ = self.sql("SELECT to_regclass('planned_migration.put_aside') IS NOT NULL;")
        if there.strip() == "t":
            noted = {(r["relation"], r["name"]) for r in self.rows_of("SELECT relation, name FROM planned_migration.put_aside")}
        now = self.snapshot()
        for kind, relation, name in before:
            if kind.startswith("constraint") and (kind, relation, name) not in now and not self.named(kind, relation, name, None, None) \
                    and not {(relation, name), (self.root_of(relation), name)} & noted:
                # What partitions inherit has names of its own.
                if self.root_of(relation) == relation:
                    self.fault("%s %s of %s is neither there nor written down" % (kind, name, relation))

    def go_back(self, before, rows):
        """By the script that was made together with the migration's."""
        said, status = self.run(self.rollback, "back.sql")
        if not self.said_no_error(said, status, "the way back"):
            return
        self.compare_rows(rows, self.checksums())
        after = self.snapshot()
        for key in sorted(before.keys() | after.keys()):
            if printed_again(before.get(key)) != printed_again(after.get(key)) and not (key[0] == "sequence" and self.named(*key, None, None)):
                self.fault("after the way back %s %s of %s: was %s\n        is  %s" % (key[0], key[2], key[1], before.get(key), after.get(key)))
        left, _ = self.sql("SELECT logicalrelid FROM pg_dist_partition; SELECT nspname FROM pg_namespace WHERE nspname = 'planned_migration';")
        if left.strip():
            self.fault("after the way back there is still: %s" % left)

    def twin(self, name, folder):
        """Another database for the same plan."""
        twin = Case(self.server, name, os.path.join(self.folder, folder), self.options)
        twin.issues, twin.tables, twin.steps, twin.arguments = self.issues, self.tables, self.steps, self.arguments
        twin.columns = self.columns
        return twin

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
        self.compare_nodes()
        self.nothing_left()


def gexec(arguments):
    return "SELECT statement FROM advisor.migration_steps(%s) ORDER BY step \\gexec\n" % arguments


def drop(server, database):
    for port in range(3):
        server.psql("postgres", "DROP DATABASE IF EXISTS %s WITH (FORCE);" % database, port=port, check=False)


# What the rows can be like so that a plan is not possible: the only errors with which a script may refuse to begin.
REFUSALS = ("rows have no parent from which they could get the distribution column", "rows disagree with foreign keys that the plan widens",
            "Citus refuses rows without a value in the distribution column")
QUALIFIED = r'(?:"(?:[^"]|"")*"|[^". ]+)\.(?:"(?:[^"]|"")*"|[^" ]+)'


def refused(case, said, before, rows):
    """Whether the script refused at its start, with nothing changed, for rows that the plan had asked about."""
    errors = ERROR.findall(said)
    if not errors or not errors[0].endswith(REFUSALS):
        return False
    case.save("refused-rows.txt", said)
    case.compare_rows(rows, case.checksums())
    after = case.snapshot()
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) != after.get(key):
            case.fault("the script refused to begin, and changed %s: %s, now %s" % (key, before.get(key), after.get(key)))
    asked = {i["relation"] for i in case.issues if i["effect"] != "advice"}
    detail = re.search(r"^DETAIL:  (.*?)^HINT:", said, re.M | re.S)
    for line in detail[1].splitlines() if detail else [""]:
        found = re.match(r'foreign key ".*?" of (%s) would be|(%s) has rows' % (QUALIFIED, QUALIFIED), line)
        if not found:
            case.fault("the script refused to begin, and does not say why: " + line)
        elif (found[1] or found[2]) not in asked:
            case.fault("the script refused to begin for %s, of which the plan had said nothing" % (found[1] or found[2]))
    return True


def try_random(server, seed, options):
    """A seed in one of the ways in which a plan becomes a migration."""
    case = Case(server, "random", os.path.join(options.out, "seed-%06d" % seed), options)
    elsewhere = Case(server, "plain", os.path.join(options.out, "seed-%06d" % seed, "plain"), options) if seed % 4 == 2 else None
    statements = populated.generate(seed)
    overrides = populated.overrides(seed)
    way = {0: "file", 1: "gexec", 2: "elsewhere", 3: "one transaction"}[seed % 4]
    summary = way

    def run():
        if way == "gexec":
            return case.run(gexec(case.arguments), "run.sql")
        return case.run(case.script, "run.sql", ["-1"] if way == "one transaction" else [])

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
        foretold = None
        if seed % 5 == 0 and not elsewhere:
            foretold = case.rehearse(before, rows)
            summary += ", rehearsed"
        said, status = run()
        if refused(case, said, before, rows):
            summary += ", refused for its rows, then as its owner wants it"
            case.plan(elsewhere.database if elsewhere else None, populated.wanted(seed))
            said, status = run()
        elif foretold is not None and bool(foretold) != bool(ERROR.findall(said)):
            case.fault("the rehearsal and the script end otherwise: %s" % (foretold or "only the script fails"))
        if case.said_no_error(said, status):
            case.compare_all(before, rows)
            if not case.faults and seed % 3 == 0:
                summary += ", and back"
                case.go_back(before, rows)
    finally:
        if not options.keep:
            for one in filter(None, (case, elsewhere)):
                drop(server, one.database)
    roles = [t["role"] for t in case.tables]
    return case.faults, "%d tables: %d distributed, %d reference, %d local; %d rows; %s" % (
        len(roles), roles.count("distributed"), roles.count("reference"), roles.count("local"), sum(n for n, _ in rows.values()), summary)


def try_plain(server, seed, options):
    """Without Citus: what the script does to the objects of a database, as PostgreSQL has them before and after. Functions that
    take Citus' place refuse what it would refuse."""
    case = Case(server, "plain", os.path.join(options.out, "seed-%06d" % seed), options)
    planning = Case(server, "planning", os.path.join(options.out, "seed-%06d" % seed, "planning"), options)
    summary = ""
    try:
        # The advisor would take the functions for Citus, so it plans on a twin.
        for one in (case, planning):
            one.create("with_advisor")
            one.load(populated.generate(seed))
            one.sql("ANALYZE;")
        before, rows = case.snapshot(), case.checksums()
        case.plan(planning.database, populated.overrides(seed))
        with open(os.path.join(PROJECT, "pgrx-tests", "migration", "citus.sql")) as file:
            case.sql(file.read())
        flags = ["-1"] if seed % 2 else []
        if seed % 3 == 1 and case.steps:
            summary = ", " + cut_and_planned_anew(case, seed)
        said, status = case.run(case.script, "run.sql", flags)
        if refused(case, said, before, rows):
            summary += ", refused for its rows, then as its owner wants it"
            case.plan(planning.database, populated.wanted(seed))
            said, status = case.run(case.script, "run.sql", flags)
        if case.said_no_error(said, status):
            case.compare(before, case.snapshot())
            case.compare_rows(rows, case.checksums())
            case.compare_roles()
    finally:
        if not options.keep:
            for one in (case, planning):
                drop(server, one.database)
    return case.faults, "%d tables, %d rows%s" % (len(case.tables), sum(n for n, _ in rows.values()), summary)


def cut_and_planned_anew(case, seed):
    """Stops the script somewhere, as a lost connection does, and plans the half of it that is there, in the same database: the new plan
    must want what the first has wanted, whatever has become of sizes and keys by then. The new script takes the first one's place."""
    case.install_advisor()
    statements = [s["statement"] for s in case.steps]
    opened = next(n for n, s in enumerate(statements) if "CREATE SCHEMA IF NOT EXISTS planned_migration" in s)
    at = opened + 1 + seed * 7919 % (len(statements) - opened - 1)
    said, _ = case.run("\\set ON_ERROR_STOP on\n" + "\n".join(statements[:at]) + "\n", "cut.sql")
    if ERROR.findall(said):
        # Refused for its rows, as the whole script will say.
        return "not cut"
    first, issues, steps = {t["relation"]: t for t in case.tables}, case.issues, case.steps
    case.sql("UPDATE pg_class SET reltuples = 1 + (oid::int8 * 7919) % 100000, relpages = 1 + (oid::int8 * 104729) % 1000 "
             "WHERE relkind = 'r' AND relnamespace >= 16384;")
    case.plan(None, json.loads(case.overrides))
    for t in case.tables:
        was, now = (tuple(x[k] for k in ("role", "distribution_column", "colocation_group")) for x in (first[t["relation"]], t))
        if was != now:
            case.fault("cut before step %d and planned anew, %s is %s, first %s" % (at + 1, t["relation"], now, was))
    case.issues, case.steps = issues + case.issues, steps + case.steps
    return "cut before step %d of %d, then %d" % (at + 1, len(steps), len(case.steps) - len(steps))


def ready(case, statements):
    """Loads a case and plans it there. What was in it before: catalog and rows."""
    case.create()
    case.load(statements)
    case.sql("ANALYZE;")
    case.install_advisor()
    return case.snapshot(), case.checksums()


def payments():
    """The schema of the demonstration, with its rows."""
    schema = ""
    for name in ("payments.sql", "payments_rows.sql"):
        with open(os.path.join(PROJECT, "demo", name)) as file:
            schema += file.read()
    return schema


def try_payments(server, which, options):
    """The payment example with its events; then from a distribution that somebody chose badly."""
    case = Case(server, "payments", os.path.join(options.out, "payments-%s" % which), options)
    try:
        case.create()
        case.sql(payments())
        if which == "badly distributed":
            # Foreign keys that Citus refused were given up; the events spread by their own number.
            case.sql("ALTER TABLE payment_events DROP CONSTRAINT payment_events_payment_users_fk, DROP CONSTRAINT payment_events_payment_merchants_fk;"
                     "SELECT create_reference_table('event_types');"
                     "SELECT create_distributed_table('payment_events', 'event_id', colocate_with => 'none');"
                     "SELECT create_distributed_table('payment_users', 'user_id', colocate_with => 'none');"
                     "SELECT create_distributed_table('payment_merchants', 'merchant_id', colocate_with => 'none');"
                     "SELECT truncate_local_data_after_distributing_table(t::regclass) FROM unnest(ARRAY['event_types', 'payment_events', "
                     "'payment_users', 'payment_merchants']) AS t;")
        case.sql("ANALYZE;")
        case.install_advisor()
        before, sums = case.snapshot(), case.checksums()
        case.plan()
        placed = {t["relation"]: (t["role"], t["distribution_column"]) for t in case.tables}
        wanted = {"public.payment_events": ("distributed", "user_id"), "public.payment_users": ("distributed", "user_id"),
                  "public.payment_merchants": ("reference", None), "public.event_types": ("reference", None)}
        if placed != wanted:
            case.fault("planned: %s" % placed)
        if which == "badly distributed":
            moved = {s["relation"] for s in case.steps if s["phase"] in ("reference", "distribute")}
            if moved != {"public.payment_events", "public.payment_merchants"}:
                case.fault("the difference is not what differs: %s" % sorted(moved))
        said, status = case.run(case.script, "run.sql")
        if case.said_no_error(said, status):
            case.compare_all(before, sums)
        return case.faults, "%d events" % sums["public.payment_events"][0]
    finally:
        if not options.keep:
            drop(server, case.database)


# New events, one a transaction, as long as the migration goes on; each has a user and a merchant.
WRITE = "INSERT INTO payment_events SELECT coalesce(max(event_id), 0) + 1 + %d, 1 + %d %% 100000, 1 + %d %% 5, 1 + %d %% 2000, '{}', timestamp '2025-06-01' FROM (SELECT 1000000 AS event_id) AS x"


class Writer(threading.Thread):
    """Somebody who goes on writing: when each of the events was sent, how long it took, and what was refused."""

    def __init__(self, case):
        super().__init__()
        self.case, self.sent, self.refused, self.over = case, [], [], threading.Event()

    def run(self):
        number = 0
        while not self.over.is_set():
            number += 1
            began = time.time()
            try:
                self.case.sql(WRITE % (number, number * 7919, number, number * 104729))
                self.sent.append((began, time.time() - began))
            except RuntimeError as error:
                self.refused.append(str(error).strip())


def try_beside_a_writer(server, how, options):
    """The payment example while somebody writes events: with events distributed concurrently nobody waits for the copy."""
    case = Case(server, "beside", os.path.join(options.out, "beside-%s" % how.replace(" ", "-")), options)
    try:
        case.create()
        case.sql(payments())
        # Without a key it has no replica identity, and changes could not be followed.
        case.sql("SELECT format('ALTER TABLE %s REPLICA IDENTITY FULL', relid) FROM pg_partition_tree('payment_events') WHERE isleaf \\gexec")
        case.install_advisor()
        case.plan()
        before = case.snapshot()
        was = case.rows_of("SELECT count(*) AS n, sum(hashint8(event_id)::numeric) AS s FROM payment_events WHERE event_id <= 1000000")
        writer = Writer(case)
        writer.start()
        time.sleep(1)
        script = case.script
        if how == "while others write":
            script = "SET planned_migration.concurrently_from = '1MB';\n" + script
        # The partitions' writers are those of one table: how long the longest of them waited while it was copied.
        said, status = case.run(script, "run.sql")
        writer.over.set()
        writer.join()
        if case.said_no_error(said, status):
            now = case.rows_of("SELECT count(*) AS n, sum(hashint8(event_id)::numeric) AS s FROM payment_events WHERE event_id <= 1000000")
            if now != was:
                case.fault("rows: %s before, %s after" % (was, now))
            there = case.rows_of("SELECT count(*) AS n FROM payment_events WHERE event_id > 1000000")[0]["n"]
            if there != len(writer.sent):
                case.fault("%d events were written meanwhile, %d are there" % (len(writer.sent), there))
            case.compare(before, case.snapshot())
            case.compare_roles()
            case.nothing_left()
        concurrent = "distributed while others write" in said
        if concurrent != (how == "while others write"):
            case.fault("distributed %s" % ("while others write" if concurrent else "with writers waiting"))
        return case.faults, "%d events written meanwhile, the longest took %.2f s; %d refused%s" % (
            len(writer.sent), max(s[1] for s in writer.sent), len(writer.refused), ": " + writer.refused[0].splitlines()[0] if writer.refused else "")
    finally:
        if not options.keep:
            drop(server, case.database)


def try_difference(server, seed, options):
    """From one distribution to another: the tables are distributed as an alternative has it, or a few of them only, and then as the
    plan. What the first has lost is lost; the second must keep the rest."""
    case = Case(server, "difference", os.path.join(options.out, "difference-%06d" % seed), options)
    try:
        before, rows = ready(case, populated.generate(seed))
        case.plan()
        wanted = {t["relation"]: {"role": t["role"], **({"column": t["distribution_column"], "group": t["colocation_group"]} if t["role"] == "distributed" else {})}
                  for t in case.tables}
        others = [a["assignment"] for a in case.rows_of("SELECT assignment FROM advisor.plan_alternatives(how_many => 6)")]
        others = [a for a in others if any(e["role"] != "local" for e in a.values())]
        first = others[seed % len(others)] if others and seed % 4 else {
            name: entry if place % 2 else {"role": "local"} for place, (name, entry) in enumerate(sorted(wanted.items()))}
        case.plan(None, first)
        said, status = case.run(case.script, "first.sql")
        if any(e.endswith(REFUSALS) for e in ERROR.findall(said)):
            first = populated.wanted(seed)
            case.plan(None, first)
            said, status = case.run(case.script, "first.sql")
        if not case.said_no_error(said, status, "the first distribution"):
            return case.faults, ""
        case.compare_rows(rows, case.checksums())
        case.install_advisor()
        case.parents = {}
        case.sql("SELECT 'ANALYZE ' || logicalrelid FROM pg_dist_partition ORDER BY 1 \\gexec")
        between = case.snapshot()
        # A table that Citus has gets no column any more.
        there = {(r["relation"], r["attname"]) for r in case.rows_of(
            "SELECT format('%I.%I', nspname, relname) AS relation, attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid JOIN pg_namespace n "
            "ON n.oid = relnamespace WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p')")}
        case.columns = {}
        rows = case.checksums()
        case.plan(None, {name: entry for name, entry in wanted.items() if "column" not in entry or (name, entry["column"]) in there})
        moved = {s["relation"] for s in case.steps if s["relation"] and s["phase"] in ("drop", "reference", "distribute") and ("undistribute" in s["statement"] or s["phase"] != "drop")}
        said, status = case.run(case.script, "run.sql")
        if any(e.endswith(REFUSALS) for e in ERROR.findall(said)):
            return case.faults, "the second distribution was refused for its rows"
        if case.said_no_error(said, status):
            case.compare_all(between, rows)
        return case.faults, "%d tables, %d of them move a second time" % (len(case.tables), len(moved))
    finally:
        if not options.keep:
            drop(server, case.database)


def load_file(case, path, propagate):
    done = subprocess.run(case.server.command("psql", case.database, "-X", "-q", "-f", path), capture_output=True, text=True, timeout=case.options.timeout,
                          env={**os.environ, "PGOPTIONS": "-c client_min_messages=error -c citus.enable_ddl_propagation=" + propagate})
    case.save("load.out", done.stderr)
    return ERROR.findall(done.stderr)


def try_corpus(server, path, options):
    """A real schema, with a few rows in every table that can have some."""
    case = Case(server, "corpus", os.path.join(options.out, "corpus-" + os.path.basename(path)[:-4]), options)
    how = ""
    try:
        case.create()
        errors = load_file(case, path, "on")
        if errors:
            # Citus wants to bring each object to the workers at once, and cannot with all: here they exist before it knows.
            how = "; loaded behind Citus' back, since: " + errors[0].split("ERROR:  ")[-1]
            case.create()
            errors = load_file(case, path, "off")
        if errors:
            return ["does not load: " + errors[0]], ""
        filled, empty = fill(case)
        case.sql("ANALYZE;")
        case.install_advisor()
        before, sums = case.snapshot(), case.checksums()
        case.plan()
        said, status = case.run(case.script, "run.sql")
        if refused(case, said, before, sums):
            said, status = mended(case, said, before)
            how += "; refused for its rows, then with those that it named deleted"
            sums = case.checksums()
        if case.said_no_error(said, status):
            case.compare_all(before, sums)
        roles = [t["role"] for t in case.tables]
        return case.faults, "%s: %d tables: %d distributed, %d reference, %d local; %d rows%s%s" % (
            os.path.basename(path)[:-4], len(roles), roles.count("distributed"), roles.count("reference"), roles.count("local"), filled,
            "" if not empty else "; %d tables stay empty: %s" % (len(empty), ", ".join(empty)), how)
    finally:
        if not options.keep:
            drop(server, case.database)


def mended(case, said, before):
    """The script again, after the rows are gone by which it has refused to begin: its DETAIL has a query for each of them."""
    for _ in range(5):
        found = re.findall(r"(?:these rows disagree: SELECT r\.\* FROM|: SELECT \* FROM) ((?:ONLY )?%s) AS (\w+)( .*?);?$" % QUALIFIED, said, re.M)
        for relation, alias, rest in found:
            case.sql("SET session_replication_role = replica; DELETE FROM %s WHERE (tableoid, ctid) IN (SELECT %s.tableoid, %s.ctid FROM %s AS %s%s);" % (
                relation, alias, alias, relation, alias, rest))
        if not found:
            break
        case.sql("ANALYZE;")
        case.plan()
        said, status = case.run(case.script, "run.sql")
        if not any(e.endswith(REFUSALS) for e in ERROR.findall(said)):
            break
    return said, status


def fill(case):
    """A few rows in every table. Returns how many, and which tables stay empty, with the reason."""
    out, _ = case.sql(FILL, check=False, timeout=case.options.timeout, variables={"rows": 4})
    empty = [json.loads(line) for line in out.splitlines() if line.startswith("[")]
    case.save("empty.txt", "".join("%s: %s\n" % tuple(pair) for pair in empty))
    return sum(n for n, _ in case.checksums().values()), [name for name, _ in empty]


# How a statement fails when its work is done, or, with no time to do it, in the middle of that.
FAILURES = {"error": ["BEGIN;", "%s", "SELECT 1 / 0 AS injected;", "COMMIT;"],
            "killed": ["BEGIN;", "%s", "SELECT pg_terminate_backend(pg_backend_pid()) AS injected;", "COMMIT;"],
            "no time": ["SET statement_timeout = '4ms';", "%s", "SET statement_timeout = 0;", "SELECT 1 / 0 AS injected;"]}


def injected(steps, at, failure, goes_on=False):
    r"""The script up to a statement that fails. With goes_on all of it, as \gexec goes on."""
    lines = ["\\set ON_ERROR_STOP %s" % ("off" if goes_on else "on")]
    for number, statement in enumerate(steps if goes_on else steps[:at + 1]):
        lines += [line % statement if "%s" in line else line for line in FAILURES[failure]] if number == at else [statement]
    return "\n".join(lines) + "\n"


def cut(case, steps, at, failure, before, rows, goes_on=False):
    """Runs the steps until one fails. Nothing may be lost."""
    said, _ = case.run(injected(steps, at, failure, goes_on), "cut.sql")
    seen = len(case.faults)
    first = (ERROR.findall(said) or ["nothing"])[0]
    if not re.search("division by zero|terminating connection|statement timeout|canceling statement|server closed the connection", first):
        case.fault("another failure than the one that was asked for: " + first)
    case.compare_rows(rows, case.checksums())
    case.nothing_forgotten(before)
    about = "step %d (%s): " % (at + 1, failure)
    case.faults[seen:] = [about + f for f in case.faults[seen:]]


def united(rows, more):
    """Rows of two answers, each once; a new plan words its guards anew."""
    told = lambda row: tuple(str(v) for k, v in row.items() if k not in ("step", "statement", "fingerprint"))
    return list({told(row): row for row in rows + more}.values())


def try_failures(server, seed, options):
    """Each statement in turn fails, and the run after it goes on from there until the next one: so each state that a script
    can be cut in is one that a second run has continued. Once all runs are of one script; for every other seed, once more,
    each is of a plan made anew. From some of the states twins of the database go on at once to the end."""
    base = Case(server, "base", os.path.join(options.out, "failures-%06d" % seed), options)
    faults, tried = [], 0
    try:
        before, rows = ready(base, populated.generate(seed))
        base.plan(None, populated.overrides(seed))
        steps = [s["statement"] for s in base.steps]
        runnable = [n for n, s in enumerate(steps) if not s.startswith("--")]

        def chain(anew):
            nonlocal tried
            case = base.twin("anew" if anew else "chain", "anew" if anew else "chain")
            try:
                case.copy_of(base)
                case.arguments = base.arguments
                for turn, at in enumerate(runnable):
                    failure = list(FAILURES)[turn % len(FAILURES)]
                    if anew:
                        now = case.rows_of("SELECT * FROM advisor.migration_steps(%s) ORDER BY step" % case.arguments)
                        case.issues = united(case.issues, case.rows_of("SELECT * FROM advisor.plan_issues(%s)" % case.arguments))
                        # What is done is not in it any more.
                        place = len(now) - (len(steps) - at)
                        if place < 0 or now[place]["statement"].startswith("--"):
                            continue
                        # What one of these plans has given up, the next ones do not know any more.
                        case.steps = united(case.steps, now)
                        cut(case, [s["statement"] for s in now], place, failure, before, rows)
                    else:
                        cut(case, steps, at, failure, before, rows)
                    tried += 1
                    if case.faults:
                        break
                if not case.faults:
                    said, status = case.run(gexec(case.arguments) if anew else base.script, "last.sql")
                    if case.said_no_error(said, status, "the last run"):
                        case.compare_all(before, rows)
                faults.extend(("plans made anew: " if anew else "one script: ") + f for f in case.faults)
            finally:
                if not (options.keep and case.faults):
                    drop(server, case.database)

        chain(False)
        if seed % 2:
            chain(True)
        for turn, at in enumerate(runnable):
            if turn % 8 != seed % 8:
                continue
            anew = turn // 8 % 2 == 1
            case = base.twin("fail", "at-%03d" % at)
            try:
                case.copy_of(base)
                cut(case, steps, at, "error", before, rows, goes_on=True)
                tried += 1
                if anew:
                    case.issues = base.issues + case.rows_of("SELECT * FROM advisor.plan_issues(%s)" % case.arguments)
                    case.steps = base.steps + case.rows_of("SELECT * FROM advisor.migration_steps(%s) ORDER BY step" % case.arguments)
                said, status = case.run(gexec(case.arguments) if anew else base.script, "second.sql")
                if case.said_no_error(said, status, "the second run"):
                    case.compare_all(before, rows)
                faults += ["psql goes on, then %s: step %d: %s" % ("a new plan" if anew else "the same script", at + 1, f) for f in case.faults]
            finally:
                if not (options.keep and case.faults):
                    drop(server, case.database)
    finally:
        if not options.keep:
            drop(server, base.database)
    return faults, "%d statements, %d failures" % (len(runnable), tried)


def unguarded(step):
    """A step of the end that finds nothing wrong."""
    return step if step["phase"] not in ("validate", "cleanup") else {**step, "statement": step["statement"].replace("RAISE EXCEPTION USING", "RAISE LOG USING")}


def changed(steps, phase, old, new, last=False):
    """The steps with the first of that phase in which something is found changed there; None where there is none."""
    found = [n for n, s in enumerate(steps) if s["phase"] == phase and re.search(old, s["statement"])]
    if not found:
        return None
    at = found[-1 if last else 0]
    return steps[:at] + [{**steps[at], "statement": re.sub(old, new, steps[at]["statement"], count=1)}] + steps[at + 1:]


def added(steps, statement):
    return steps + [{"phase": "cleanup", "relation": None, "statement": statement, "because": ""}]


ANY = "DO $$ DECLARE t regclass; i text; BEGIN SELECT %s INTO t, i FROM %s ORDER BY 1 LIMIT 1; IF t IS NULL THEN RAISE EXCEPTION 'not applicable'; END IF; EXECUTE %s; END $$;"
# Scripts that are wrong, each of which must be found out by what is looked at afterwards.
MUTATIONS = {
    "a foreign key stays away": lambda steps: changed(steps, "constraints", r"(?m)^  ALTER TABLE .* ADD CONSTRAINT .* FOREIGN KEY .*;$", "  PERFORM 1;"),
    "a foreign key comes back NOT VALID": lambda steps: changed(steps, "constraints", r"(?m)^(  ALTER TABLE .* ADD CONSTRAINT .* FOREIGN KEY .*?(?<!NOT VALID));$", r"\1 NOT VALID;"),
    "a foreign key comes back on the coordinator only": lambda steps: changed(
        steps, "constraints", r"(?m)^(  ALTER TABLE .* ADD CONSTRAINT .* FOREIGN KEY .*;)$", r"  PERFORM set_config('citus.enable_ddl_propagation', 'off', true); \1"),
    "a row is changed": lambda steps: added(steps, ANY % (
        "logicalrelid, ''", "pg_dist_partition JOIN pg_attribute ON attrelid = logicalrelid AND attname = 'note' WHERE partmethod = 'h' OR repmodel = 't'",
        "'UPDATE ' || t || ' SET note = ''changed'''")),
    "an index is lost": lambda steps: added(steps, ANY % (
        "indrelid, indexrelid::regclass", "pg_index JOIN pg_dist_partition ON logicalrelid = indrelid WHERE NOT indisunique", "'DROP INDEX ' || i")),
    "a comment is lost": lambda steps: added(steps, ANY % (
        "logicalrelid, ''", "pg_dist_partition JOIN pg_description ON objoid = logicalrelid AND objsubid = 0", "'COMMENT ON TABLE ' || t || ' IS NULL'")),
    "a grant is lost": lambda steps: added(steps, ANY % (
        "logicalrelid, ''", "pg_dist_partition JOIN pg_class ON oid = logicalrelid WHERE relacl::text ~ 'migration_reader'", "'REVOKE ALL ON ' || t || ' FROM migration_reader'")),
    "a sequence starts again": lambda steps: added(steps, ANY % (
        "c.oid::regclass, ''", "pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'i' AND d.classid = 'pg_class'::regclass JOIN pg_sequences s ON s.sequencename = c.relname "
        "AND s.last_value > 1 WHERE relkind = 'S'", "format('SELECT setval(%L, 1)', t)")),
    "a table stays local": lambda steps: changed(steps, "reference", r"PERFORM create_reference_table\(.*\);", "PERFORM 1;"),
    "a table stands alone": lambda steps: changed(
        steps, "distribute", r"(PERFORM create_distributed_table\(.*colocate_with => )'(?!none)(?:[^']|'')*'", r"\1'none'", last=True),
    "the notebook stays": lambda steps: steps[:-1],
    "a constraint is lost in a shard": lambda steps: added(steps, ANY % (
        "conrelid, conname", "pg_constraint JOIN pg_dist_partition ON logicalrelid = conrelid WHERE contype = 'c' AND partmethod = 'h' AND conparentid = 0 AND coninhcount = 0",
        "format($c$SELECT run_command_on_shards(%L, $x$ALTER TABLE %%s DROP CONSTRAINT %I$x$)$c$, t, i)")),
}


# The same without Citus: what concerns shards and groups only a cluster can tell.
PLAIN_MUTATIONS = {
    **{name: MUTATIONS[name] for name in ("a foreign key stays away", "a foreign key comes back NOT VALID", "a row is changed", "an index is lost", "a comment is lost",
                                          "a table stays local", "the notebook stays")},
    "what Citus forgets is not put back": lambda steps: changed(steps, "constraints", r"IF kept IS NOT NULL THEN PERFORM planned_migration\.put_back\(kept\); END IF", "NULL"),
    "a key keeps its form": lambda steps: changed(steps, "keys", r"(?m)^  ALTER TABLE .* ADD CONSTRAINT .*(?:PRIMARY KEY|UNIQUE).*;$", "  PERFORM 1;"),
    "a check stays away": lambda steps: changed(steps, "constraints", r"(?m)^  ALTER TABLE .* ADD CONSTRAINT .* CHECK .*;$", "  PERFORM 1;"),
}


def try_plain_mutations(server, name, options):
    """A script that is wrong, without Citus."""
    caught, tried, missed = 0, 0, []
    # Not every table that Citus takes has a comment.
    rare = name.startswith("what Citus forgets")
    for seed in range(options.seed, options.seed + 40):
        if caught == 1 if rare else tried == 2:
            break
        case, planning = (Case(server, n, os.path.join(options.out, "mutation-%s-%d" % (name.replace(" ", "-"), seed)), options) for n in ("mutated", "planning"))
        try:
            for one in (case, planning):
                one.create("with_advisor")
                one.load(populated.generate(seed))
                one.sql("ANALYZE;")
            before, rows = case.snapshot(), case.checksums()
            case.plan(planning.database, populated.overrides(seed))
            steps = PLAIN_MUTATIONS[name](list(map(unguarded, case.steps)))
            if not case.steps or steps is None:
                continue
            with open(os.path.join(PROJECT, "pgrx-tests", "migration", "citus.sql")) as file:
                case.sql(file.read())
            said, status = case.run("\n".join(s["statement"] for s in steps) + "\n", "run.sql")
            if "not applicable" in said or any(e.endswith(REFUSALS) for e in ERROR.findall(said)):
                continue
            tried += 1
            if case.said_no_error(said, status):
                case.compare(before, case.snapshot())
                case.compare_rows(rows, case.checksums())
                case.compare_roles()
            caught += bool(case.faults)
            if not case.faults and not rare:
                missed.append("nobody has noticed, with seed %d" % seed)
            case.save("faults.txt", "\n".join(case.faults))
        finally:
            for one in (case, planning):
                drop(server, one.database)
    return missed or ([] if caught else ["never found out" if tried else "never applicable"]), "%d of %d found out" % (caught, tried)


def try_mutations(server, name, options):
    """A script that is wrong: whether what is looked at finds it out."""
    caught, tried, missed = 0, 0, []
    for seed in range(options.seed, options.seed + 12):
        if tried == 3:
            break
        case = Case(server, "mutated", os.path.join(options.out, "mutation-%s-%d" % (name.replace(" ", "-"), seed)), options)
        try:
            before, rows = ready(case, populated.generate(seed))
            case.plan(None, populated.overrides(seed))
            steps = MUTATIONS[name](list(map(unguarded, case.steps)))
            if not case.steps or steps is None:
                continue
            said, status = case.run("\n".join(s["statement"] for s in steps) + "\n", "run.sql")
            if "not applicable" in said or any(e.endswith(REFUSALS) for e in ERROR.findall(said)):
                continue
            tried += 1
            if case.said_no_error(said, status):
                case.compare_all(before, rows)
            caught += bool(case.faults)
            if not case.faults:
                missed.append("nobody has noticed, with seed %d" % seed)
            case.save("faults.txt", "\n".join(case.faults))
        finally:
            drop(server, case.database)
    return missed or ([] if tried else ["never applicable"]), "%d of %d found out" % (caught, tried)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bindir", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--timeout", type=int, default=5400, help="seconds for a script")
    parser.add_argument("--corpus", help="folder of schemas")
    parser.add_argument("--only", action="append", help="of these names or seeds")
    parser.add_argument("--keep", action="store_true", help="leave the databases")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("what", choices=["random", "plain", "difference", "payments", "writer", "corpus", "failures", "mutations", "plain-mutations"])
    options = parser.parse_args()
    server = Server(options.socket, options.port, options.bindir)
    seeds = [int(n) for n in options.only] if options.only and not options.corpus else range(options.seed, options.seed + options.cases)
    schemas = sorted(glob.glob(os.path.join(options.corpus or "", "*.sql")))
    ways = {"random": (try_random, seeds), "plain": (try_plain, seeds), "failures": (try_failures, seeds), "difference": (try_difference, seeds), "payments": (try_payments, ["as it is", "badly distributed"]),
            "writer": (try_beside_a_writer, ["while others write", "with writers waiting"]), "mutations": (try_mutations, list(MUTATIONS)), "plain-mutations": (try_plain_mutations, list(PLAIN_MUTATIONS)),
            "corpus": (try_corpus, [p for p in schemas if not options.only or os.path.basename(p)[:-4] in options.only])}
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
