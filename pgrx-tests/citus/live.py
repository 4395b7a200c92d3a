#!/usr/bin/env python3
"""Asks a live Citus and the installed advisor the same questions; planner/tests/citus.rs compares the answers.

usage: live.py --socket DIR --port COORDINATOR --out DIR [--objects N] [--seed N] [--cases N]

The cluster is that of pgrx-tests/citus/check: three servers, on each of them a database `with_citus` that is a node of
one cluster, to be copied. A case is a folder in the form of ../shared/oracle: schema.sql, assignment.json, verdict.json,
and rows.json with what the advisor said. Python's own library and psql are all that it takes.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time

import generate

NAME = r'(?:"(?:[^"]|"")+"|[^\s".,();]+)'
RELATION = r"%s\.%s" % (NAME, NAME)
# What a statement after the rows makes: kind, and where the relation and the name stand in it.
FORMS = [
    (r"ALTER TABLE(?: ONLY)? (?P<rel>{R})\s+ADD CONSTRAINT (?P<name>{N}) (?P<kind>PRIMARY KEY|UNIQUE|EXCLUDE|FOREIGN KEY|CHECK)", None),
    (r"CREATE UNIQUE INDEX (?P<name>{N}) ON (?:ONLY )?(?P<rel>{R}) ", "unique index"),
    (r"CREATE INDEX (?P<name>{N}) ON (?:ONLY )?(?P<rel>{R}) ", "index"),
    (r"CREATE (?:CONSTRAINT )?TRIGGER (?P<name>{N}) .*? ON (?P<rel>{R}) ", "trigger"),
    (r"CREATE RULE (?P<name>{N}) AS\s+ON \w+ TO (?P<rel>{R}) ", "rule"),
    (r"CREATE POLICY (?P<name>{N}) ON (?P<rel>{R})\b", "policy"),
    (r"CREATE STATISTICS {N}\.(?P<name>{N}) .*? FROM (?P<rel>{R})$", "statistics"),
    (r"ALTER TABLE (?P<rel>{R}) CLUSTER ON (?P<name>{N})$", "ClusterOn"),
]
FORMS = [(re.compile(p.replace("{R}", RELATION).replace("{N}", NAME), re.S), kind) for p, kind in FORMS]
KINDS = {"PRIMARY KEY": "primary key", "UNIQUE": "unique", "EXCLUDE": "exclusion", "FOREIGN KEY": "foreign key", "CHECK": "check"}


COLUMNS = "name, level, effect, relation, object_type, object_name, message"


class Unanswered(Exception):
    """The question cannot be put."""


class Server:
    def __init__(self, socket, port, bindir):
        self.socket, self.port, self.bindir = socket, port, bindir
        self.environment = {**os.environ, "PGOPTIONS": "-c client_min_messages=error -c lc_messages=C",
                            "PGCLIENTENCODING": "UTF8"}

    def command(self, program, database, *arguments, port=0):
        return [os.path.join(self.bindir, program), "-h", self.socket, "-p", str(self.port + port), "-U", "postgres",
                "-d", database, *arguments]

    def psql(self, database, text, port=0, check=True, timeout=300, variables={}):
        done = subprocess.run(self.command("psql", database, "-X", "-q", "-At", "-v", "VERBOSITY=verbose",
                                           *(f"-v{name}={value}" for name, value in variables.items()),
                                           *(["-v", "ON_ERROR_STOP=1"] if check else []), port=port),
                              input=text, capture_output=True, text=True, env=self.environment, timeout=timeout)
        if check and done.returncode:
            raise RuntimeError(done.stderr[:2000])
        return done.stdout, done.stderr

    def each(self, database, statements):
        """Runs statements one by one; for each the error it ended in, or None."""
        # The search path is empty, as pg_dump leaves it: what messages name is then qualified.
        text = "SET search_path = '';\n" + "".join("\\warn @@%d\n%s;\n" % pair for pair in enumerate(statements))
        _, err = self.psql(database, text, check=False)
        answers = [None] * len(statements)
        parts = re.split(r"^@@(\d+)\n", err, flags=re.M)
        for number, part in zip(parts[1::2], parts[2::2]):
            answers[int(number)] = error_of(part)
        if len(parts) != 2 * len(statements) + 1:
            raise RuntimeError("the server went away: " + err[-1000:])
        return answers

    def dump(self, database, section):
        return subprocess.run(self.command("pg_dump", database, "--no-owner", "--no-privileges", "--section=" + section),
                              capture_output=True, text=True, check=True, env=self.environment).stdout


def error_of(text):
    found = re.search(r"^(?:psql:[^\n]*: )?(?:ERROR|FATAL|PANIC):  (\w{5}): (.*)", text, re.S | re.M)
    if not found:
        if "server closed the connection" in text:
            raise RuntimeError("the server went away: " + text[-1000:])
        return None
    fields = re.split(r"^(DETAIL|HINT|LINE \d+|CONTEXT|LOCATION|SCHEMA NAME|TABLE NAME|COLUMN NAME|CONSTRAINT NAME|DATATYPE NAME|STATEMENT):  ?",
                      found[2], flags=re.M)
    answer = {"sqlstate": found[1], "message": fields[0].strip()}
    for key, value in zip(fields[1::2], fields[2::2]):
        if key == "DETAIL":
            answer["detail"] = value.strip()
    return answer


def raw(name):
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def statements_of(dump):
    """The statements of a section of pg_dump, whose entries have a heading each."""
    for entry in re.split(r"^--\n-- (?:Name|Data for Name): .*\n--\n", dump, flags=re.M)[1:]:
        entry = "\n".join(line for line in entry.split("\n") if not line.startswith(("--", "\\")))
        for statement in entry.split(";\n"):
            if statement.strip() and not statement.startswith("SELECT pg_catalog."):
                yield statement.strip()


def identity(statement):
    for pattern, kind in FORMS:
        found = pattern.match(statement)
        if found:
            return kind or KINDS[found["kind"]], found["rel"], raw(found["name"])
    return "AttachPartition" if " ATTACH PARTITION " in statement else "other", "", ""


def literal(text):
    return "'" + text.replace("'", "''") + "'"


class Case:
    """A question: a schema, statement by statement, and an assignment."""

    def __init__(self, statements, assignment):
        self.statements, self.assignment = statements, assignment

    def ask(self, server, folder):
        """Asks both and writes the folder. Returns the case with what PostgreSQL took of it."""
        os.makedirs(folder, exist_ok=True)
        databases = ["live_plain", "live_case"]
        try:
            for database in databases:
                drop(server, database)
            server.psql("postgres", "CREATE DATABASE live_plain TEMPLATE with_advisor;")
            answers = server.each("live_plain", ["SET check_function_bodies = off", *self.statements])[1:]
            taken = [s for s, error in zip(self.statements, answers) if error is None]
            case = Case(taken, {t: dict(e) for t, e in self.assignment.items()})
            there = server.psql("live_plain", "SELECT format('%I.%I', nspname, relname) FROM pg_class c JOIN pg_namespace n "
                                "ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'f', 'v', 'm', 'S');")[0].splitlines()
            case.assignment = {t: e for t, e in case.assignment.items() if t in there}
            model = server.psql("live_plain", "SELECT advisor.schema_model();")[0]
            rows = case.advisor(server, case.assignment)
            verdict, cluster = case.citus(server, rows)
            rows = case.without_refused_for_rows(server, rows, verdict)
        finally:
            for database in databases:
                drop(server, database)
        with open(os.path.join(folder, "schema.sql"), "w") as file:
            file.write("".join(s + ";\n" for s in case.statements))
        for name, text in (("model", model), ("cluster", cluster)):
            with open(os.path.join(folder, name + ".json"), "w") as file:
                file.write(text)
        for name, value in (("assignment", case.assignment), ("verdict", verdict), ("rows", rows)):
            with open(os.path.join(folder, name + ".json"), "w") as file:
                json.dump(value, file, indent=1)
        return case

    def has_rows(self):
        return any(s.startswith("INSERT ") for s in self.statements)

    def advisor(self, server, assignment):
        argument = literal(json.dumps(assignment)) + "::jsonb"
        query = "SELECT coalesce(json_agg(r), '[]') FROM (SELECT %s, NULL::bigint AS rows FROM advisor.check_distribution(%s)" % (COLUMNS, argument)
        if self.has_rows():
            query += " UNION ALL SELECT %s, rows FROM advisor.check_data(%s)" % (COLUMNS, argument)
        return json.loads(server.psql("live_plain", query + ") AS r;")[0])

    def without_refused_for_rows(self, server, rows, verdict):
        """A table that Citus refuses for its rows alone stays local, and so are its objects judged. The advisor is told."""
        of_table = [r for r in rows if r["effect"] == "blocked" and r["object_type"] in ("table", "column")]
        known = {r["relation"] for r in of_table if r["rows"] is None}
        for_rows = {r["relation"] for r in of_table} - known
        refused = {t["table"] for t in verdict["tables"] if t["verdict"] == "rejected" and t["table"] in for_rows}
        if not refused:
            return rows
        rest = {t: e for t, e in self.assignment.items() if t not in refused}
        again = self.advisor(server, rest)
        verdict["refused for rows"] = sorted(refused)
        return [r for r in of_table if r["relation"] in refused] + again

    def citus(self, server, rows):
        for port in range(3):
            server.psql("postgres", "CREATE DATABASE live_case TEMPLATE with_citus;", port=port)
        pre, post = (list(statements_of(server.dump("live_plain", section))) for section in ("pre-data", "post-data"))
        for statement, error in zip(pre, server.each("live_case", pre)):
            # Citus sends new objects to the workers at once, and refuses some of them: here they exist before Citus knows.
            if error:
                error = server.each("live_case", ["SET citus.enable_ddl_propagation = off", statement])[1]
            if error:
                raise Unanswered("Citus refuses a part of the schema: " + error["message"])
        # A check in a circle of dependencies is written late by pg_dump; it belongs to its table all the same.
        checks = [s for s in post if identity(s)[0] == "check" and not s.endswith(" NOT VALID")]
        if any(server.each("live_case", checks)):
            raise Unanswered("a check is refused before anything is distributed")
        post = [s for s in post if s not in checks]
        if self.has_rows():
            server.psql("live_case", server.dump("live_plain", "data"))
        # An assignment has no order. Where tables do not fit together the advisor says which it takes for the odd ones:
        # they come last.
        odd = {r["relation"] for r in rows if r["effect"] == "blocked" and r["object_type"] in ("table", "column")}
        order = sorted(self.assignment.items(), key=lambda e: (e[1]["role"] != "reference", e[0] in odd))
        verdict = {"schema": "schema.sql", **({"data": True} if self.has_rows() else {}), "tables": [], "objects": []}
        groups, answers = {}, {}
        for role in ("reference", "distributed"):
            waiting = [e for e in order if e[1]["role"] == role]
            while waiting:
                later = []
                for table, entry in waiting:
                    if role == "reference":
                        call = "SELECT pg_catalog.create_reference_table(%s::pg_catalog.regclass)" % literal(table)
                    else:
                        call = "SELECT pg_catalog.create_distributed_table(%s::pg_catalog.regclass, %s, colocate_with => %s)" % (
                            literal(table), literal(entry["column"]), literal(groups.get(entry["group"], "none")))
                    error = answers[table] = server.each("live_case", [call])[0]
                    if error is None and role == "distributed":
                        groups.setdefault(entry["group"], table)
                    # Nor has it an order by which tables whose row types others use come first.
                    if error and "that is not in Citus' metadata" in error["message"]:
                        later.append((table, entry))
                waiting = later if len(later) < len(waiting) else []
        for table, entry in order:
            if table in answers:
                error = answers[table]
                verdict["tables"].append({"table": table, **entry, "verdict": "rejected" if error else "accepted", **(error or {})})
        for statement, error in zip(post, server.each("live_case", post)):
            kind, relation, name = identity(statement)
            verdict["objects"].append({"kind": kind, "relation": relation, "name": name, "statement": re.sub(r"\s+", " ", statement),
                                       "verdict": "rejected" if error else "accepted", **(error or {})})
        # All that is there by now Citus has accepted: an audit must not say otherwise.
        server.psql("live_case", "SET citus.enable_ddl_propagation = off; CREATE EXTENSION IF NOT EXISTS citus_advisor;")
        audit = "SELECT coalesce(json_agg(r), '[]') FROM (SELECT %s FROM advisor.check_distribution()) AS r" % COLUMNS
        verdict["audit"] = json.loads(server.psql("live_case", audit + ";")[0])
        return verdict, server.psql("live_case", "SELECT advisor.schema_model();")[0]


def drop(server, database):
    for port in range(3):
        server.psql("postgres", "DROP DATABASE IF EXISTS %s WITH (FORCE);" % database, port=port, check=False)


class Shrinker:
    """Takes away what a difference does not need."""

    def __init__(self, server, folder, attempts):
        self.server, self.folder, self.attempts = server, folder, attempts

    def differs(self, case):
        """The case as far as PostgreSQL takes it, if the answers still differ."""
        if self.attempts <= 0:
            return None
        self.attempts -= 1
        trial = os.path.join(self.folder, "trial")
        shutil.rmtree(trial, ignore_errors=True)
        try:
            taken = case.ask(self.server, os.path.join(trial, "case"))
        except (RuntimeError, Unanswered, subprocess.SubprocessError):
            return None
        if not differences(trial):
            return None
        shutil.rmtree(os.path.join(self.folder, "case"), ignore_errors=True)
        shutil.move(os.path.join(trial, "case"), self.folder)
        return taken

    def shrink(self, case):
        case = self.differs(case)
        if case is None:
            return None
        size = max(1, len(case.statements) // 2)
        while size:
            end = len(case.statements)
            while end > 0 and self.attempts > 0:
                rest = case.statements[:max(0, end - size)] + case.statements[end:]
                smaller = self.differs(Case(rest, case.assignment))
                end = min(end - size, len(smaller.statements) if smaller else end)
                case = smaller or case
            size //= 2
        for table in list(case.assignment):
            rest = {t: e for t, e in case.assignment.items() if t != table}
            case = self.differs(Case(case.statements, rest)) or case
        return case


def differences(cases):
    """What planner/tests/citus.rs finds in a folder of cases."""
    out = subprocess.run(["cargo", "test", "-q", "-p", "citus_planner", "--test", "citus", "--", "--nocapture"], text=True,
                         capture_output=True, env={**os.environ, "CITUS_CASES": cases, "RUST_BACKTRACE": "0"}).stdout
    return [line for line in out.splitlines() if line.startswith(DIFFERENT)]


DIFFERENT = ("false alarm: ", "miss: ", "other code: ")


def shrink_all(server, log, out, attempts=80, most=3):
    with open(log) as file:
        found = [re.match(r"[a-z ]+: seed-(\d+): ", line) for line in file if line.startswith(DIFFERENT)]
    seeds = sorted({int(f[1]) for f in found if f})
    for seed in seeds[:most]:
        folder = os.path.join(out, "seed-%06d" % seed)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        case = Shrinker(server, folder, attempts).shrink(Case(*generate.generate(seed)))
        if case is None:
            print("seed %d: asked again, there was no difference" % seed)
            continue
        print("%s/case/schema.sql" % folder)
        print("".join("    %s;\n" % s for s in case.statements) + "    -- %s" % json.dumps(case.assignment))
        for line in differences(folder):
            print("    -- " + line)
    if len(seeds) > most:
        print("not made smaller: seeds %s" % ", ".join(map(str, seeds[most:])))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--socket", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--bindir", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--objects", type=int, default=1000, help="go on until so many tables and objects were asked about")
    parser.add_argument("--seed", type=int, default=1, help="of the first case")
    parser.add_argument("--cases", type=int, default=10**9, help="no more cases than these")
    parser.add_argument("--shrink", metavar="LOG", help="ask nothing new: make the cases smaller that LOG says differ")
    options = parser.parse_args()
    server = Server(options.socket, options.port, options.bindir)
    if options.shrink:
        shrink_all(server, options.shrink, options.out)
        return 0
    asked, seed, trouble, left_out, started = 0, options.seed, 0, 0, time.time()
    while asked < options.objects and seed < options.seed + options.cases:
        folder = os.path.join(options.out, "seed-%06d" % seed)
        try:
            Case(*generate.generate(seed)).ask(server, folder)
            with open(os.path.join(folder, "verdict.json")) as file:
                verdict = json.load(file)
            asked += len(verdict["tables"]) + sum(o["kind"] not in ("other", "AttachPartition", "rule", "check") for o in verdict["objects"])
        except Unanswered as error:
            left_out += 1
            print("left out, seed %d: %s" % (seed, error), flush=True)
        except (RuntimeError, subprocess.SubprocessError) as error:
            trouble += 1
            print("no answer to seed %d: %s" % (seed, str(error)[:600]), flush=True)
        seed += 1
    print("%d cases, seeds %d to %d, in %d s; %d left out, %d without an answer" % (
        seed - options.seed, options.seed, seed - 1, time.time() - started, left_out, trouble), flush=True)
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main())
