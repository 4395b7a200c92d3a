"""Random schemas and random assignments for the comparison with a live Citus.

A schema is a list of statements. They are written carelessly: what PostgreSQL refuses is left out by whoever loads them,
so the generator need not know what is legal. A case is a function of its seed alone.
"""

import random

ACTIONS = ["NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT"]

# Of the kinds of things, what a few tables of a case need.
PRELUDE = """
CREATE SCHEMA "Odd Schema"
CREATE EXTENSION IF NOT EXISTS btree_gist
CREATE EXTENSION IF NOT EXISTS citext
CREATE SEQUENCE public.shared_s
CREATE SEQUENCE public.shared_int AS integer
CREATE SEQUENCE "Odd Schema"."Odd Seq"
CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy')
CREATE TYPE public.pair AS (a bigint, b text)
CREATE TYPE public.row_t AS (tenant bigint, id bigint, ref1 bigint, ref2 bigint, s text, n int)
CREATE TYPE public.floats AS RANGE (subtype = float8)
CREATE DOMAIN public.tenant_d AS bigint CHECK (VALUE >= 0)
CREATE DOMAIN "Odd Schema"."Key" AS bigint
CREATE DOMAIN public.name_d AS text NOT NULL CHECK (VALUE <> 'x')
CREATE COLLATION public.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)
CREATE COLLATION public.de (provider = icu, locale = 'de')
CREATE FUNCTION public.tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$
CREATE FUNCTION public.one() RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 1::bigint $$
CREATE FUNCTION public.small(a bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT a < 1000000 $$
CREATE FUNCTION public.tenant_now() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT current_setting('app.tenant', true)::bigint $$
CREATE FUNCTION public.same(a bigint, b bigint) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$ SELECT a = b $$
CREATE OPERATOR public.=== (FUNCTION = public.same, LEFTARG = bigint, RIGHTARG = bigint)
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler
CREATE OPERATOR CLASS public.big_ops FOR TYPE bigint USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 btint8cmp(bigint, bigint)
CREATE DOMAIN public.checked_d AS bigint CHECK (VALUE OPERATOR(public.===) VALUE)
CREATE DOMAIN public.floats_d AS public.floats
CREATE DOMAIN public.ci_d AS text COLLATE public.ci
CREATE DOMAIN public.nested_d AS public.tenant_d CHECK (VALUE < 1000000000)
CREATE TYPE public.floats_pair AS (a bigint, f public.floats)
CREATE TEXT SEARCH CONFIGURATION public.words (COPY = simple)
CREATE EXTENSION IF NOT EXISTS file_fdw
CREATE SERVER IF NOT EXISTS files FOREIGN DATA WRAPPER file_fdw
CREATE AGGREGATE public.total (bigint) (SFUNC = int8pl, STYPE = bigint, INITCOND = '0')
""".strip().splitlines()

TENANT_TYPES = (["bigint"] * 14 + ["int", "int", "uuid", "text", "varchar(20)", "public.tenant_d", '"Odd Schema"."Key"',
                "numeric", "date", "timestamptz", "smallint", "citext", "text COLLATE public.de"])
KEY_TYPES = ["bigint"] * 10 + ["int", "int", "text", "uuid", "smallint", "varchar(30)", "numeric"]
ODD_TYPES = ["json", "jsonb", "box", "point", "xml", "money", "bytea", "inet", "bool", "int[]", "text[]", "int4range",
             "int8multirange", "public.mood", "public.pair", "public.floats", "public.tenant_d", "public.name_d", "uuid",
             "date", "timestamptz", "time", "interval", "numeric(10,2)", "numeric(3,-1)", "numeric(2,5)", "char(8)", "oid",
             "xid", "tsvector", "tsquery", "bit(4)", "varbit", "macaddr", "name", "text COLLATE public.ci",
             "text COLLATE public.de", 'text COLLATE "C"', "float8", "real", "regclass", "cid", "tid", "pg_lsn", "xid8",
             "refcursor", '"char"', "public.checked_d", "public.floats_d", "public.ci_d", "public.nested_d", "public.floats_pair",
             "public.floats[]", "timestamp", "timetz", "box[]", "int[][]", "public.row_t", "bpchar", "char(3)[]", "public.mood[]", "public.pair[]", "citext", "varchar", "public.tenant_d[]", "oidvector",
             "int2vector", "jsonpath", "txid_snapshot"]
# A row in a shard by one of these ends the server: never the distribution column of a table with rows.
NAMES = ['t%02d'] * 12 + ['"T %02d"', '"tab\'le%02d"', '"select%02d"', '"ünï%02d"', '"a.b%02d"', '"say ""hi"" %02d"',
                          "a_very_long_name_of_a_table_that_needs_all_of_its_bytes_%02d"]


def quote_name(name):
    return name if name.isidentifier() and name.isascii() and name == name.lower() else '"%s"' % name.replace('"', '""')


def raw(name):
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


class Table:
    def __init__(self, schema, name):
        self.schema, self.name = schema, name
        self.full = "%s.%s" % (schema, name)
        self.columns = {}        # name as written: type
        self.keys = []           # columns of keys that a foreign key can rest on
        self.leaves = []         # partitions, full names
        self.partitioned = False
        self.partition_column = None
        self.plain = True        # an ordinary table of its own, for which everything is tried

    def stem(self):
        return "".join(c for c in raw(self.name) if c.isalnum() or c == "_")[:40]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.sql = list(PRELUDE)
        self.tables = []
        self.number = 0
        # Each case leans to some features, so that rare ones meet each other.
        self.lean = {}

    def chance(self, feature, base):
        if feature not in self.lean:
            self.lean[feature] = self.r.choice([0, 0.3, 1, 1, 1, 3])
        return self.r.random() < base * self.lean[feature]

    def name(self, stem):
        self.number += 1
        prefix = self.r.choice("abcdmz")
        text = "%s_%s_%d" % (prefix, stem, self.number)
        if self.chance("odd object names", 0.06):
            text = self.r.choice(["%s Key %d" % (prefix, self.number), 'x"%s%d' % (prefix, self.number),
                                  "Ä%s%d" % (prefix, self.number), "%s_%s" % (text, "long" * 12)])
        return quote_name(text[:63])

    def make(self):
        count = self.r.randint(5, 12)
        tenant = self.r.choice(TENANT_TYPES) if self.r.random() < 0.4 else "bigint"
        for number in range(count):
            self.table(number, tenant)
        for table in self.tables:
            self.rows(table)
        for table in self.tables:
            self.keys(table)
        for table in self.tables:
            self.decorate(table)
        for table in self.tables:
            for _ in range(self.r.choice([0, 0, 1, 1, 1, 2, 3])):
                self.foreign_key(table)
        for _ in range(self.r.choice([0, 0, 0, 1, 2])):
            self.view()
        return self.sql, self.assignment()

    def table(self, number, tenant):
        r = self.r
        name = (r.choice(NAMES) if self.chance("odd table names", 0.5) else 't%02d') % number
        name = quote_name(raw(name))
        t = Table('"Odd Schema"' if self.chance("odd schema", 0.12) else "public", name)
        tenant_type = r.choice(TENANT_TYPES) if self.chance("other tenant type", 0.12) else tenant
        key_type = r.choice(KEY_TYPES)
        tenant_name = '"Tenant Id"' if self.chance("odd column names", 0.1) else "tenant"
        t.columns = {tenant_name: tenant_type, "id": key_type, "ref1": "bigint", "ref2": r.choice(["bigint", "int", "text"]),
                     "s": "text", "n": "int", "span": "int4range"}
        for extra in range(r.choice([0, 1, 1, 2])):
            t.columns["x%d" % extra] = r.choice(ODD_TYPES)
        if r.random() < 0.3:
            items = list(t.columns.items())
            r.shuffle(items)
            t.columns = dict(items)
        t.tenant = tenant_name
        kind = r.random()
        if self.chance("typed", 0.03):
            t.columns = {"tenant": "bigint", "id": "bigint", "ref1": "bigint", "ref2": "bigint", "s": "text", "n": "int"}
            t.tenant = "tenant"
            self.sql.append("CREATE TABLE %s OF public.row_t" % t.full)
        elif self.chance("foreign tables", 0.02):
            self.sql.append("CREATE FOREIGN TABLE %s (%s) SERVER files OPTIONS (filename '/dev/null')" % (
                t.full, ", ".join("%s %s" % column for column in t.columns.items())))
        elif self.chance("like", 0.03) and any(x.plain for x in self.tables):
            source = r.choice([x for x in self.tables if x.plain])
            t.columns, t.tenant = dict(source.columns), source.tenant
            self.sql.append("CREATE TABLE %s (LIKE %s INCLUDING ALL)" % (t.full, source.full))
        elif self.chance("inherits", 0.05) and any(x.plain for x in self.tables):
            parent = r.choice([x for x in self.tables if x.plain])
            t.columns, t.tenant = dict(parent.columns), parent.tenant
            self.sql.append("CREATE TABLE %s (own int) INHERITS (%s)" % (t.full, parent.full))
            if r.random() < 0.3:
                self.sql.append("ALTER TABLE %s NO INHERIT %s" % (t.full, parent.full))
        else:
            partition = self.chance("partitions", 0.2)
            definitions = [self.column(t, c, y, partition) for c, y in t.columns.items()]
            if r.random() < 0.2 and not partition:
                definitions.append("CONSTRAINT %s CHECK (%s)" % (self.name(t.stem() + "_ck"), r.choice(
                    ["ref1 > -5", "public.small(ref1)", "ref1 < public.one() + 100000", "n IS DISTINCT FROM 17",
                     "%s.* IS NOT NULL" % t.name if self.chance("row checks", 0.1) else "n > -99",
                     "ref1 OPERATOR(public.===) ref1 OR true" if self.chance("operator", 0.1) else "s <> 'zz'"])))
                if r.random() < 0.2:
                    definitions[-1] += " NO INHERIT"
            suffix = ""
            if partition:
                t.partition_column = r.choice([t.tenant, "n", "n", "id"])
                strategy = r.choice(["RANGE", "RANGE", "LIST", "HASH"])
                suffix = " PARTITION BY %s (%s)" % (strategy, t.partition_column)
                t.partitioned = True
            elif self.chance("access method", 0.02):
                suffix = " USING heap2"
            elif r.random() < 0.08:
                suffix = " WITH (fillfactor = 70)"
            unlogged = "UNLOGGED " if not partition and self.chance("unlogged", 0.05) else ""
            self.sql.append("CREATE %sTABLE %s (%s)%s" % (unlogged, t.full, ", ".join(definitions), suffix))
            if self.chance("columns dropped", 0.1):
                self.sql.append("ALTER TABLE %s ADD COLUMN gone int" % t.full)
                self.sql.append("ALTER TABLE %s DROP COLUMN gone, ADD COLUMN late bigint" % t.full)
                t.columns["late"] = "bigint"
                if "x0" in t.columns and t.partition_column != "x0":
                    self.sql.append("ALTER TABLE %s DROP COLUMN x0" % t.full)
                    del t.columns["x0"]
            if partition:
                self.partitions(t, strategy)
        self.tables.append(t)
        t.plain = not t.partitioned

    def column(self, t, c, y, partition):
        r, text = self.r, "%s %s" % (c, y)
        if c in (t.tenant, "id") and r.random() < 0.85:
            text += " NOT NULL"
        integer = y in ("bigint", "int", "smallint")
        if c == "id" and integer and not partition and self.chance("identity", 0.15):
            return text + " GENERATED %s AS IDENTITY" % r.choice(["ALWAYS", "BY DEFAULT"])
        if c == "id" and integer and self.chance("serial", 0.15):
            return text.replace(y, {"bigint": "bigserial", "int": "serial", "smallint": "smallserial"}[y], 1)
        if integer and self.chance("sequence defaults", 0.06):
            return text + " DEFAULT %s" % r.choice([
                "nextval('public.shared_s'::regclass)", "nextval('public.shared_s'::regclass)",
                "nextval('public.shared_int'::regclass)", "nextval('\"Odd Schema\".\"Odd Seq\"'::regclass)",
                "nextval('public.shared_s'::text)", "nextval('public.shared_s') + nextval('public.shared_int')"])
        if c in ("ref1", "n") and self.chance("defaults", 0.15):
            return text + " DEFAULT %s" % r.choice(["0", "public.one()", "1 + 1", "length(current_user)"])
        if c in ("x0", "x1") and self.tables and self.chance("row types", 0.04):
            t.columns[c] = r.choice(self.tables).full
            return "%s %s" % (c, t.columns[c])
        if c in ("x0", "x1", "s") and self.chance("generated", 0.1):
            t.columns[c] = "text" if c == "s" else "bigint"
            return "%s %s GENERATED ALWAYS AS (%s) STORED" % (c, t.columns[c], "n::text || 'x'" if c == "s" else "ref1 + 1")
        if c == t.tenant and y == "bigint" and self.chance("generated tenant", 0.03):
            return "%s bigint GENERATED ALWAYS AS (ref1 + 1) STORED" % c
        return text

    def partitions(self, t, strategy):
        r = self.r
        y = t.columns[t.partition_column]
        values = {"uuid": ["'00000000-0000-0000-0000-00000000000%d'" % k for k in range(4)],
                  "date": ["'2020-01-0%d'" % (k + 1) for k in range(4)],
                  "timestamptz": ["'2020-01-0%d UTC'" % (k + 1) for k in range(4)]}
        text = ["'%d'" % (k * 100) for k in range(4)]
        v = values.get(y, text)
        for k in range(2):
            bound = {"RANGE": "FROM (%s) TO (%s)" % (v[k], v[k + 1]), "LIST": "IN (%s)" % v[k],
                     "HASH": "WITH (MODULUS 2, REMAINDER %d)" % k}[strategy]
            leaf = "%s.%s" % (t.schema, quote_name("%s_p%d" % (t.stem(), k)))
            if self.chance("long partitions", 0.05):
                leaf = "%s.%s" % (t.schema, quote_name(("%s_p%d_%s" % (t.stem(), k, "x" * 60))[:60]))
            if k == 1 and self.chance("foreign partitions", 0.04):
                self.sql.append("CREATE FOREIGN TABLE %s PARTITION OF %s FOR VALUES %s SERVER files OPTIONS (filename '/dev/null')"
                                % (leaf, t.full, bound))
                continue
            if k == 1 and self.chance("attached", 0.15):
                columns = ["%s %s" % (c, y) for c, y in t.columns.items()][::-1]
                self.sql.append("CREATE TABLE %s (%s)" % (leaf, ", ".join(columns)))
                for c in (t.tenant, "id"):
                    self.sql.append("ALTER TABLE %s ALTER %s SET NOT NULL" % (leaf, c))
                self.sql.append("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES %s" % (t.full, leaf, bound))
                t.leaves.append(leaf)
                continue
            sub = " PARTITION BY RANGE (n)" if k == 1 and self.chance("second level", 0.06) else ""
            self.sql.append("CREATE TABLE %s PARTITION OF %s FOR VALUES %s%s" % (leaf, t.full, bound, sub))
            t.leaves.append(leaf)
        if strategy != "HASH" and r.random() < 0.6:
            leaf = "%s.%s" % (t.schema, quote_name("%s_rest" % t.stem()))
            self.sql.append("CREATE TABLE %s PARTITION OF %s DEFAULT" % (leaf, t.full))
            t.leaves.append(leaf)

    def rows(self, t):
        """A few rows in some tables; types decide what loads."""
        if not self.chance("rows", 0.25):
            return
        # The copy of a table with a long name waits for itself, but not every time: nothing to compare.
        if any(len(raw(x.split(".", 1)[1]).encode()) > 54 for x in [t.full, *t.leaves] if "." in x):
            return
        r = self.r
        columns = [c for c in (t.tenant, "id", "ref1", "n") if c in t.columns]
        for number in range(r.randint(1, 4)):
            values = []
            for c in columns:
                y = t.columns[c]
                value = {"uuid": "'00000000-0000-0000-0000-00000000000%d'" % number, "date": "'2020-01-0%d'" % (number + 1),
                         "timestamptz": "'2020-01-0%d UTC'" % (number + 1)}.get(y, "'%d'" % number)
                values.append("NULL" if r.random() < 0.12 else value)
            self.sql.append("INSERT INTO %s (%s) VALUES (%s)" % (t.full, ", ".join(columns), ", ".join(values)))

    def key_columns(self, t):
        sets = [["id"], [t.tenant, "id"], ["id", t.tenant], [t.tenant], [t.tenant, "ref1"], ["ref1"], ["id", "n"],
                [t.tenant, "n", "id"]]
        if t.partitioned:
            sets = [s for s in sets if t.partition_column in s] or [[t.partition_column]]
        return self.r.choice(sets[:4] if self.r.random() < 0.7 and len(sets) > 3 else sets)

    def keys(self, t):
        r = self.r
        for number in range(r.choice([0, 1, 1, 1, 2, 2, 3])):
            columns = self.key_columns(t)
            kind = "PRIMARY KEY" if number == 0 and r.random() < 0.75 else "UNIQUE"
            extra = ""
            if kind == "UNIQUE" and r.random() < 0.06:
                kind = "UNIQUE NULLS NOT DISTINCT"
            if self.chance("include", 0.08):
                extra += " INCLUDE (%s)" % r.choice([t.tenant, "s", "n"])
            if r.random() < 0.08:
                extra += r.choice([" WITH (fillfactor = 80)"])
            deferrable = self.chance("deferrable keys", 0.06)
            if deferrable:
                extra += " DEFERRABLE" + r.choice(["", " INITIALLY DEFERRED"])
            self.sql.append("ALTER TABLE %s ADD CONSTRAINT %s %s (%s)%s" % (
                t.full, self.name(t.stem() + "_k"), kind, ", ".join(columns), extra))
            if not deferrable:
                t.keys.append(columns)
        if r.random() < 0.25:
            expressions = ["%s, s" % t.tenant, "s", "lower(s)", "(%s), s" % t.tenant, "(ref1 + 1)", "%s, (ref1 + 1)" % t.tenant,
                           "s, %s DESC" % t.tenant, "ref1) INCLUDE (%s" % t.tenant, "%s" % t.tenant, "ref2, n",
                           "%s NULLS FIRST" % t.tenant, "n, id, %s" % t.tenant]
            where = r.choice(["", "", " WHERE n > 0", " NULLS NOT DISTINCT"])
            name, columns = self.name(t.stem() + "_ui"), r.choice(expressions)
            self.sql.append("CREATE UNIQUE INDEX %s ON %s (%s)%s" % (name, t.full, columns, where))
            if columns == t.tenant and not where:
                t.keys.append([t.tenant])
        if "span" in t.columns and not t.partitioned and self.chance("exclusion", 0.12):
            deferrable = r.choice(["", "", " DEFERRABLE"])
            self.sql.append("ALTER TABLE %s ADD CONSTRAINT %s EXCLUDE USING %s%s" % (
                t.full, self.name(t.stem() + "_ex"), r.choice([
                    "gist (span WITH &&)", "gist (%s WITH =, span WITH &&)" % t.tenant, "gist (%s WITH <>, span WITH &&)" % t.tenant,
                    "gist (id WITH =, span WITH &&)", "btree (%s WITH =)" % t.tenant, "btree (id WITH =)", "hash (s WITH =)",
                    "gist (span WITH &&, %s WITH =) WHERE (n > 3)" % t.tenant, "hash (%s WITH =)" % t.tenant,
                    "btree (%s WITH =, (ref1 + 1) WITH =)" % t.tenant]), deferrable))

    def decorate(self, t):
        r, sql = self.r, self.sql
        whom = r.choice(t.leaves) if t.leaves and r.random() < 0.25 else t.full
        if r.random() < 0.25:
            sql.append("CREATE INDEX %s ON %s %s" % (self.name(t.stem() + "_i"), whom, r.choice([
                "(ref1)", "(%s, id)" % t.tenant, "USING hash (s)", "USING brin (n)", "USING gist (span)", "(lower(s))",
                "(ref1) WHERE n IS NULL", "(s text_pattern_ops)", "(public.small(ref1))", "(s COLLATE \"C\")",
                "(ref1) INCLUDE (n) WITH (fillfactor = 60)", "(ref1 public.big_ops)" if self.chance("operator class", 0.5) else "(n DESC)",
                "USING gin (to_tsvector('public.words', s))", "USING gin (to_tsvector('english', s))", "((ref1 OPERATOR(public.===) 1))"
                if self.chance("operator in index", 0.5) else "((ref1 + 1))", "USING gist (s gist_trgm_ops)", "USING spgist (span)"])))
        if t.leaves and self.chance("keys of partitions", 0.1):
            sql.append("ALTER TABLE %s ADD CONSTRAINT %s UNIQUE (%s)" % (r.choice(t.leaves), self.name(t.stem() + "_lk"), r.choice(
                ["id", t.tenant, "%s, id" % t.tenant, "ref1"])))
        if self.chance("whole rows", 0.03):
            function = "public.w%d" % self.number
            self.number += 1
            sql.append("CREATE FUNCTION %s(x %s) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 1::bigint $$" % (function, t.full))
            name = raw(t.name)
            sql.append(r.choice(["CREATE INDEX %s ON %s (%s(%s.*))" % (self.name(t.stem() + "_wi"), t.full, function, quote_name(name)),
                                 "ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s(%s.*) > 0)" % (
                                     t.full, self.name(t.stem() + "_wc"), function, quote_name(name)),
                                 "CREATE INDEX %s ON %s (%s(NULL))" % (self.name(t.stem() + "_wi"), r.choice(self.tables).full, function)]))
        if self.chance("replica index", 0.04):
            name = self.name(t.stem() + "_ri")
            sql.append("CREATE UNIQUE INDEX %s ON %s (%s, id)" % (name, t.full, t.tenant))
            sql.append("ALTER TABLE %s REPLICA IDENTITY USING INDEX %s" % (t.full, name))
        if self.chance("publications", 0.03):
            sql.append("CREATE PUBLICATION p%d FOR TABLE %s" % (self.number, t.full))
            self.number += 1
        if t.keys and r.random() < 0.05:
            sql.append("DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE %%s CLUSTER ON %%I', indrelid::regclass, c.relname) FROM pg_index i JOIN "
                       "pg_class c ON c.oid = indexrelid WHERE indrelid = '%s'::regclass ORDER BY c.relname LIMIT 1); END $$"
                       % t.full.replace("'", "''"))
        if r.random() < 0.08:
            sql.append("ALTER TABLE %s REPLICA IDENTITY %s" % (t.full, r.choice(["FULL", "NOTHING"])))
        if self.chance("statistics", 0.1):
            sql.append("CREATE STATISTICS %s.%s %s FROM %s" % (t.schema, self.name(t.stem() + "_st"), r.choice(
                ["ON ref1, n", "(dependencies) ON ref1, n, id", "ON (ref1 + 1), n", "ON (lower(s))", "(mcv) ON %s, n" % t.tenant]), whom))
        if self.chance("triggers", 0.1):
            name = self.name(t.stem() + "_tr")
            sql.append("CREATE %s ON %s %s" % (r.choice(["TRIGGER %s BEFORE INSERT", "TRIGGER %s AFTER UPDATE OF n",
                       "TRIGGER %s AFTER DELETE", "TRIGGER %s BEFORE TRUNCATE"]) % name, whom, r.choice([
                           "FOR EACH ROW EXECUTE FUNCTION public.tf()", "FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION public.tf()",
                           "FOR EACH STATEMENT EXECUTE FUNCTION public.tf()"])))
            if r.random() < 0.2:
                sql.append("ALTER TABLE %s DISABLE TRIGGER %s" % (whom, name))
            if self.chance("trigger of extension", 0.15):
                sql.append("ALTER TRIGGER %s ON %s DEPENDS ON EXTENSION citext" % (name, whom))
        if self.chance("constraint triggers", 0.02):
            sql.append("CREATE CONSTRAINT TRIGGER %s AFTER INSERT ON %s DEFERRABLE FOR EACH ROW EXECUTE FUNCTION public.tf()" % (
                self.name(t.stem() + "_ct"), t.full))
        if self.chance("rules", 0.04):
            sql.append("CREATE RULE %s AS ON INSERT TO %s DO ALSO SELECT 1" % (self.name(t.stem() + "_ru"), t.full))
        if self.chance("policies", 0.1):
            other = r.choice(self.tables)
            sql.append("CREATE POLICY %s ON %s %s" % (self.name(t.stem() + "_po"), whom, r.choice([
                "USING (%s IS NOT NULL)" % t.tenant, "FOR SELECT USING (n > 3)", "FOR INSERT WITH CHECK (n > 3)",
                "USING (n IN (SELECT n FROM %s))" % other.full, "USING (ref1 = (SELECT public.tenant_now()))",
                "USING (ref1 = public.tenant_now())", "USING (EXISTS (SELECT 1))", "AS RESTRICTIVE FOR DELETE USING (true)",
                "FOR UPDATE USING (true) WITH CHECK (ref1 = ANY (ARRAY(SELECT 1::bigint)))"])))
        if r.random() < 0.06:
            sql.append("ALTER TABLE %s ENABLE ROW LEVEL SECURITY" % t.full)
        if self.chance("unchecked", 0.06):
            sql.append("ALTER TABLE %s ADD CONSTRAINT %s CHECK (%s) NOT VALID" % (
                whom, self.name(t.stem() + "_nv"), r.choice(["ref1 > 1", "n <> 2", "s IS NOT NULL"])))
        if self.chance("defaults of tables", 0.03):
            other = r.choice(self.tables)
            function = "public.f%d" % self.number
            self.number += 1
            sql.append("CREATE FUNCTION %s(x %s) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$ SELECT 1::bigint $$" % (function, other.full))
            sql.append(r.choice(["ALTER TABLE %s ALTER ref1 SET DEFAULT %s(NULL)", "ALTER TABLE %s ADD CHECK (ref1 <> %s(NULL) + 999)"])
                       % (t.full, function))
        if r.random() < 0.05:
            sql.append("ALTER TABLE %s ALTER COLUMN s SET STATISTICS 50" % t.full)
        if r.random() < 0.05:
            sql.append("COMMENT ON TABLE %s IS 'it''s; a comment'" % t.full)

    def foreign_key(self, t):
        r = self.r
        if r.random() < 0.12:
            p = t
        else:
            p = r.choice(self.tables)
        if not p.keys:
            return
        key = r.choice(p.keys)
        columns = []
        for c in key:
            wanted = p.columns[c]
            same = [x for x, y in t.columns.items() if y == wanted]
            near = same + [x for x, y in t.columns.items() if family(y) == family(wanted)]
            pick = [x for x in near if x not in columns] or ["ref1"]
            if c == p.tenant and t.tenant in pick and r.random() < 0.7:
                columns.append(t.tenant)
            elif c in pick and r.random() < 0.25:
                columns.append(c)
            else:
                columns.append(r.choice(pick))
        targets = list(zip(columns, key))
        if r.random() < 0.2:
            r.shuffle(targets)
        columns, key = [c for c, _ in targets], [k for _, k in targets]
        text = ""
        if r.random() < 0.08:
            text += " MATCH FULL"
        if r.random() < 0.4:
            action = r.choice(ACTIONS)
            text += " ON DELETE " + action
            if action.startswith("SET") and r.random() < 0.3:
                text += " (%s)" % r.choice(columns)
        if r.random() < 0.2:
            text += " ON UPDATE " + r.choice(ACTIONS)
        if r.random() < 0.12:
            text += r.choice([" DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"])
        if r.random() < 0.1:
            text += " NOT VALID"
        child = r.choice(t.leaves) if t.leaves and r.random() < 0.2 else t.full
        parent = r.choice(p.leaves) if p.leaves and r.random() < 0.15 else p.full
        self.sql.append("ALTER TABLE %s ADD CONSTRAINT %s FOREIGN KEY (%s) REFERENCES %s (%s)%s" % (
            child, self.name(t.stem() + "_fk"), ", ".join(columns), parent, ", ".join(key), text))

    def view(self):
        t, p = self.r.choice(self.tables), self.r.choice(self.tables)
        kind = "MATERIALIZED VIEW" if self.chance("materialized views", 0.3) else "VIEW"
        self.number += 1
        self.sql.append("CREATE %s public.v%d AS %s" % (kind, self.number, self.r.choice([
            "SELECT a.n FROM %s a" % t.full, "SELECT a.n, b.s FROM %s a JOIN %s b ON a.n = b.n" % (t.full, p.full),
            "SELECT count(*) AS c FROM %s" % t.full])))

    def assignment(self):
        r = self.r
        weights = r.choice([[6, 2, 2], [4, 4, 2], [3, 3, 4], [8, 1, 1], [1, 5, 4]])
        result = {}
        for t in self.tables:
            role = r.choices(["distributed", "reference", "local"], weights)[0]
            if t.partitioned and role == "reference" and r.random() < 0.7:
                role = "distributed"
            if role == "distributed":
                column = t.tenant
                odd = r.random()
                if odd < 0.15:
                    column = "id" if "id" in t.columns else column
                elif odd < 0.25:
                    column = r.choice([c for c in t.columns])
                if column not in t.columns or hurts(t.columns[column]):
                    column = t.tenant
                if self.chance("no such column", 0.01):
                    column = r.choice(["gone", "ctid", "Tenant"])
                y = t.columns.get(column, "")
                # Now and then tables that do not fit share a group.
                group = "g" if r.random() < 0.06 else "g %s" % y
                if r.random() < 0.12:
                    group += " other"
                result[t.full] = {"role": role, "column": raw(column), "group": group}
            elif role == "reference":
                result[t.full] = {"role": role}
            if self.chance("views in the plan", 0.01):
                views = [x.split()[2] for x in self.sql if x.startswith("CREATE VIEW ")]
                if views:
                    result[views[0]] = {"role": "reference"}
            if t.leaves and self.chance("partition alone", 0.15):
                result[r.choice(t.leaves)] = {"role": "distributed", "column": raw(t.tenant), "group": "g leaf"}
        return result


def hurts(type_text):
    """A shard of such a column ends the server process at its first row."""
    return type_text.endswith("[]") and type_text not in ("int[]", "text[]", "public.mood[]", "public.tenant_d[]") \
        or "." in type_text and type_text not in ("public.mood", "public.pair", "public.floats", "public.tenant_d",
                                                  "public.name_d", "public.mood[]", "public.tenant_d[]", '"Odd Schema"."Key"', "public.checked_d",
                                                  "public.floats_d", "public.ci_d", "public.nested_d", "public.floats_pair",
                                                  "public.ci", "text COLLATE public.ci", "text COLLATE public.de", "public.row_t")


def family(type_text):
    if type_text in ("bigint", "int", "smallint", "numeric", "public.tenant_d", '"Odd Schema"."Key"'):
        return "number"
    if type_text.startswith(("text", "varchar", "citext")):
        return "text"
    return type_text


def generate(seed):
    """The statements of a schema, and an assignment."""
    return Generator(seed).make()
