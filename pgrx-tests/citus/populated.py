"""Random schemas with rows in them, as people have them: tenants and what belongs to them, lookups, cycles, partitioned
events, tables of their own. All of it holds: a migration that loses or changes something has no excuse.

A case is a function of its seed alone. Statements are written carelessly where that is simpler: what PostgreSQL refuses is
left out by whoever loads them.
"""

import random

PRELUDE = """
CREATE SCHEMA "App Data"
CREATE SCHEMA crm
GRANT USAGE ON SCHEMA crm TO migration_reader
CREATE EXTENSION IF NOT EXISTS btree_gist
CREATE TYPE public.mood AS ENUM ('sad', 'ok', 'happy')
CREATE DOMAIN public.amount AS numeric(12,2) CHECK (VALUE > -1000000)
CREATE DOMAIN crm.tenant_key AS bigint
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.note := coalesce(new.note, '') || '.'; RETURN new; END $$
CREATE FUNCTION public.size_of(text) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT length($1) $$
CREATE COLLATION public.de (provider = icu, locale = 'de')
""".strip().splitlines()

SCHEMAS = ["public"] * 6 + ["crm", '"App Data"']
ACTIONS = ["", "", "", " ON DELETE CASCADE", " ON DELETE RESTRICT", " ON DELETE SET NULL", " ON UPDATE CASCADE", " ON UPDATE RESTRICT",
           " ON DELETE CASCADE ON UPDATE NO ACTION"]
DEFERRED = ["", "", "", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"]


def quote(name):
    return name if name.isidentifier() and name.isascii() and name == name.lower() else '"%s"' % name.replace('"', '""')


class Table:
    def __init__(self, kind, schema, name, columns):
        self.kind, self.schema, self.name = kind, schema, name
        self.full = "%s.%s" % (schema, quote(name))
        self.columns = columns      # name as written: type
        self.rows = []              # dictionaries of literals
        self.key = None             # columns
        self.tenant = None
        self.partition = None       # (strategy, column)
        self.identity = None
        self.references = []        # other ends of foreign keys
        self.tenants = []           # a detail's: of each row, by its parent
        self.disagrees = False      # two parents of a row belong to different tenants
        self.ruled = False          # has rules: nobody can say what they would make of an UPDATE


class Populated:
    def __init__(self, seed):
        self.seed, self.r = seed, random.Random(seed * 7919 + 11)
        self.before, self.after = list(PRELUDE), []
        self.tables = []
        self.number = 0
        self.lean = {}

    def chance(self, feature, base):
        if feature not in self.lean:
            self.lean[feature] = self.r.choice([0, 0.4, 1, 1, 2])
        return self.r.random() < base * self.lean[feature]

    def name(self, stem, kind="name"):
        self.number += 1
        if self.chance("odd " + kind, 0.15):
            return self.r.choice(["%s %d" % (stem.title(), self.number), 'say "%s" %d' % (stem, self.number), "%s's %d" % (stem, self.number),
                                  "Ünï_%s_%d" % (stem, self.number), "%s.%d" % (stem, self.number), "%s_%d_%s" % (stem, self.number, "long" * 9),
                                  "%s\\%d" % (stem, self.number), "%s $m$ %d" % (stem, self.number)])
        return "%s_%d" % (stem, self.number)

    def make(self):
        r = self.r
        self.key_type = r.choice(["bigint"] * 6 + ["int", "uuid", "text", "crm.tenant_key"])
        self.tenant_column = r.choice(["tenant_id"] * 4 + ["account_id", '"Tenant Id"'])
        lookups = [self.lookup() for _ in range(r.randint(1, 4))]
        roots = [self.root(lookups)]
        if self.chance("second tree", 0.15):
            roots.append(self.root(lookups))
        owned = []
        for _ in range(r.randint(2, 6)):
            owned.append(self.owned(r.choice(roots), owned, lookups))
        details = []
        for _ in range(r.choice([0, 0, 1, 1, 2, 3])):
            details += self.detail(owned, details, lookups)
        for _ in range(r.choice([0, 1, 1, 2])):
            self.events(r.choice(roots), owned, lookups)
        for _ in range(r.choice([0, 1, 1, 2, 3])):
            self.alone(lookups)
        if self.chance("cycle", 0.4) and owned:
            self.cycle(roots[0], [t for t in owned if t.root is roots[0]])
        if len(lookups) > 1 and self.chance("lookup cycle", 0.3):
            self.refer(lookups[0], lookups[-1], "peer", nullable=True)
        for t in self.tables:
            self.decorate(t)
        self.views()
        statements = self.before
        for t in self.tables:
            statements += self.inserts(t)
        return statements + self.after

    # Tables -----------------------------------------------------------------------------------------------------------

    def create(self, t, definitions, suffix=""):
        columns = ", ".join("%s %s" % pair for pair in definitions.items())
        self.before.append("CREATE TABLE %s (%s)%s" % (t.full, columns, suffix))
        self.tables.append(t)
        if self.chance("owners", 0.1):
            self.after.append("ALTER TABLE %s OWNER TO migration_owner" % t.full)

    def constraint(self, t, clause, stem="k", late=True):
        name = quote(self.name("%s_%s" % (t.kind, stem), "object names")[:63])
        (self.after if late else self.before).append("ALTER TABLE %s ADD CONSTRAINT %s %s" % (t.full, name, clause))
        if self.chance("constraint comments", 0.12):
            (self.after if late else self.before).append("COMMENT ON CONSTRAINT %s ON %s IS 'why: it''s \\needed'" % (name, t.full))
        return name

    def extras(self, t, definitions):
        """Columns that a person would add."""
        r = self.r
        for column, text in (("note", "text"), ("amount", "public.amount"), ("mood", "public.mood"), ("seen", "timestamptz"), ("data", "jsonb"),
                             ("span", "int4range"), ("Twice", "int"), ("title", "text COLLATE public.de"), ("tags", "text[]")):
            if column == "note" or r.random() < 0.25:
                t.columns[quote(column)] = definitions[quote(column)] = text
        if r.random() < 0.1:
            definitions["size"] = "int GENERATED ALWAYS AS (public.size_of(note)) STORED"
        if r.random() < 0.1:
            definitions["made"] = "timestamptz DEFAULT now()"

    def value(self, column, text, n):
        r = self.r
        if r.random() < 0.2:
            return "NULL"
        kind = text.split()[0]
        return {"text": "'note %d it''s'" % n, "public.amount": "%d.25" % n, "public.mood": "'ok'", "timestamptz": "'2024-01-01 UTC'::timestamptz + interval '%d hours'" % n,
                "jsonb": "'{\"a\": %d}'" % n, "int4range": "'[%d,%d)'" % (n * 10, n * 10 + 5), "int": str(n), "text[]": "'{a,b%d}'" % n}.get(kind, "NULL")

    def key_value(self, key_type, n):
        return {"uuid": "'00000000-0000-0000-0000-%012d'" % n, "text": "'t-%d'" % n}.get(key_type, str(n))

    def lookup(self):
        r = self.r
        t = Table("lookup", r.choice(SCHEMAS), self.name(r.choice(["country", "currency", "status", "kind", "plan"])), {})
        key_type = r.choice(["text", "int", "bigint", "smallint"])
        definitions = {"code": key_type + " NOT NULL"}
        if key_type in ("int", "bigint") and self.chance("identity", 0.25):
            definitions["code"] = "%s GENERATED %s AS IDENTITY" % (key_type, r.choice(["ALWAYS", "BY DEFAULT"]))
            t.identity = "code"
        t.columns["code"] = key_type
        self.extras(t, definitions)
        self.create(t, definitions)
        t.key, t.key_type = ["code"], key_type
        self.constraint(t, r.choice(["PRIMARY KEY (code)", "PRIMARY KEY (code) WITH (fillfactor = 80)", "UNIQUE (code)"]), late=False)
        for n in range(1, r.randint(3, 9)):
            t.rows.append({"code": self.key_value(key_type, n)})
        others = [x for x in self.tables if x.kind == "lookup" and x is not t]
        if others and r.random() < 0.3:
            self.refer(t, r.choice(others), "of", nullable=r.random() < 0.5)
        return t

    def root(self, lookups):
        r = self.r
        t = Table("tenant", r.choice(SCHEMAS), self.name(r.choice(["tenant", "account", "shop"])), {})
        column = r.choice(["id", self.tenant_column])
        definitions = {column: self.key_type + " NOT NULL"}
        if self.key_type in ("bigint", "int"):
            if self.chance("identity", 0.3):
                definitions[column] = "%s GENERATED %s AS IDENTITY" % (self.key_type, r.choice(["ALWAYS", "BY DEFAULT"]))
                t.identity = column
            elif r.random() < 0.2:
                definitions[column] = "bigserial" if self.key_type == "bigint" else "serial"
        t.columns[column] = self.key_type
        self.extras(t, definitions)
        self.create(t, definitions)
        t.key, t.tenant, t.root = [column], column, t
        self.constraint(t, "PRIMARY KEY (%s)%s" % (column, r.choice(["", "", " INCLUDE (note)"])), late=False)
        for n in range(1, r.randint(5, 20)):
            t.rows.append({column: self.key_value(self.key_type, n)})
        for lookup in r.sample(lookups, r.randint(0, min(2, len(lookups)))):
            self.refer(t, lookup, "at")
        if r.random() < 0.2:
            self.refer(t, t, "parent", nullable=True)
        return t

    def owned(self, root, others, lookups):
        r = self.r
        t = Table("owned", r.choice([root.schema] * 3 + SCHEMAS), self.name(r.choice(["task", "order", "item", "project", "invoice"])), {})
        t.root, t.tenant = root, self.tenant_column
        nullable = t.nullable = self.chance("nullable tenants", 0.15)
        definitions = {self.tenant_column: self.key_type + ("" if nullable else " NOT NULL"), "id": "bigint NOT NULL"}
        if r.random() < 0.3:
            definitions = dict(reversed(definitions.items()))
        if self.chance("identity", 0.25):
            definitions["id"] = "bigint GENERATED %s AS IDENTITY" % r.choice(["ALWAYS", "BY DEFAULT"])
            t.identity = "id"
        elif r.random() < 0.3:
            definitions["id"] = "bigserial"
        t.columns.update({self.tenant_column: self.key_type, "id": "bigint"})
        self.extras(t, definitions)
        self.create(t, definitions, " WITH (fillfactor = 90)" if r.random() < 0.1 else "")
        tenant = root.key[0]
        for n in range(1, r.randint(10, 40)):
            t.rows.append({self.tenant_column: r.choice(root.rows)[tenant], "id": str(n)})
        t.key = r.choice([["id"], [self.tenant_column, "id"], ["id", self.tenant_column]])
        if nullable:
            t.key = ["id"]
        kind = r.choice(["PRIMARY KEY"] * 5 + ["UNIQUE"])
        deferrable = " DEFERRABLE" if self.chance("deferrable keys", 0.04) else ""
        self.constraint(t, "%s (%s)%s%s" % (kind, ", ".join(t.key), r.choice(["", "", "", " INCLUDE (note)"]), deferrable), late=False)
        t.referable = not deferrable
        self.refer(t, root, None, column=self.tenant_column)
        same_root = [x for x in others if x.root is root and x.referable]
        if same_root and r.random() < 0.7:
            self.refer(t, r.choice(same_root), r.choice(["up", "of"]), nullable=r.random() < 0.6)
        if t.referable and r.random() < 0.25:
            self.refer(t, t, "parent", nullable=True)
        for lookup in r.sample(lookups, r.randint(0, min(2, len(lookups)))):
            self.refer(t, lookup, "with", nullable=r.random() < 0.5)
        return t

    def detail(self, owned, details, lookups):
        """A table that has no column for its tenant, only for its parents."""
        r = self.r
        parents = [t for t in owned if t.referable and t.key == ["id"] and not t.nullable] + details
        if not parents:
            return []
        parent = r.choice(parents)
        t = Table("detail", parent.schema, self.name(r.choice(["line", "part", "step"])), {})
        t.root, t.referable, t.nullable = parent.root, True, False
        definitions = {"id": "bigint NOT NULL"}
        t.columns["id"] = "bigint"
        self.extras(t, definitions)
        if r.random() < 0.3:
            # A column was there once.
            definitions["gone"] = "int"
        self.create(t, definitions)
        if "gone" in definitions:
            self.before.append("ALTER TABLE %s DROP COLUMN gone" % t.full)
        t.key = ["id"]
        self.constraint(t, r.choice(["PRIMARY KEY (id)", "PRIMARY KEY (id) INCLUDE (note)"]), late=False)
        owner = lambda other, row: other.tenants[other.rows.index(row)] if other.kind == "detail" else row[other.tenant]
        others = [x for x in parents if x is not parent and x.root is parent.root]
        second = r.choice(others) if others and r.random() < 0.4 else None
        columns = [quote("%s_%d" % (stem, len(t.columns) + n)) for n, stem in enumerate(["of_parent", "of_second"])]
        ends = [(columns[0], parent, True)] + ([(columns[1], second, False)] if second else [])
        for column, other, required in ends:
            t.columns[column] = "bigint"
            self.before.append("ALTER TABLE %s ADD COLUMN %s bigint%s" % (t.full, column, " NOT NULL" if required else ""))
            self.constraint(t, "FOREIGN KEY (%s) REFERENCES %s (id)%s" % (column, other.full, r.choice(ACTIONS[:5] + DEFERRED)), "fk")
            t.references.append(other)
        t.disagrees = bool(second) and self.chance("two tenants", 0.15)
        for n in range(1, r.randint(10, 40)):
            of = r.choice(parent.rows)
            row, tenant = {"id": str(n), columns[0]: of["id"]}, owner(parent, of)
            if second and r.random() < 0.8:
                same = [x for x in second.rows if (owner(second, x) == tenant) != (t.disagrees and n % 5 == 0)]
                if same:
                    row[columns[1]] = r.choice(same)["id"]
            t.rows.append(row)
            t.tenants.append(tenant)
        for lookup in r.sample(lookups, r.randint(0, min(1, len(lookups)))):
            self.refer(t, lookup, "with", nullable=True)
        return [t]

    def events(self, root, owned, lookups):
        r = self.r
        t = Table("event", r.choice([root.schema] * 3 + SCHEMAS), self.name(r.choice(["event", "reading", "log"])), {})
        t.root, t.tenant = root, self.tenant_column
        strategy, column = r.choice([("RANGE", "happened")] * 4 + [("LIST", "region"), ("HASH", "id")])
        t.partition = (strategy, column)
        definitions = {self.tenant_column: self.key_type + " NOT NULL", "id": "bigint NOT NULL", "happened": "timestamptz NOT NULL", "region": "int NOT NULL"}
        t.columns.update({self.tenant_column: self.key_type, "id": "bigint", "happened": "timestamptz", "region": "int"})
        self.extras(t, definitions)
        self.create(t, definitions, " PARTITION BY %s (%s)" % (strategy, column))
        for n in range(1, r.randint(20, 60)):
            t.rows.append({self.tenant_column: r.choice(root.rows)[root.key[0]], "id": str(n), "region": str(n % 4),
                           "happened": "'2024-%02d-%02d UTC'" % (n % 5 + 1, n % 27 + 1)})
        leaves = []
        for k in range(3):
            bound = {"RANGE": "FROM ('2024-%02d-01 UTC') TO ('2024-%02d-01 UTC')" % (k + 1, k + 2), "LIST": "IN (%d)" % k,
                     "HASH": "WITH (MODULUS 3, REMAINDER %d)" % k}[strategy]
            leaf = "%s.%s" % (t.schema, quote(("%s_p%d" % (t.name, k))[:63]))
            if k == 2 and r.random() < 0.2:
                self.before.append("CREATE TABLE %s (LIKE %s INCLUDING ALL)" % (leaf, t.full))
                self.before.append("ALTER TABLE %s ATTACH PARTITION %s FOR VALUES %s" % (t.full, leaf, bound))
            else:
                self.before.append("CREATE TABLE %s PARTITION OF %s FOR VALUES %s" % (leaf, t.full, bound))
            leaves.append(leaf)
        if strategy != "HASH":
            leaf = "%s.%s" % (t.schema, quote(("%s_rest" % t.name)[:63]))
            self.before.append("CREATE TABLE %s PARTITION OF %s DEFAULT" % (leaf, t.full))
        t.leaves = leaves
        if r.random() < 0.7:
            t.key = r.choice([["id", column], [self.tenant_column, "id", column]])
            t.key = list(dict.fromkeys(t.key))
            self.constraint(t, "PRIMARY KEY (%s)" % ", ".join(t.key), late=False)
        self.refer(t, root, None, column=self.tenant_column)
        for lookup in r.sample(lookups, r.randint(0, min(1, len(lookups)))):
            self.refer(t, lookup, "with", nullable=True)
        same_root = [x for x in owned if x.root is root and x.referable]
        if same_root and r.random() < 0.3:
            self.refer(t, r.choice(same_root), "about", nullable=True)

    def alone(self, lookups):
        r = self.r
        t = Table("alone", r.choice(SCHEMAS), self.name(r.choice(["setting", "job", "cache", "office"])), {})
        definitions = {"id": "int NOT NULL"}
        if self.chance("identity", 0.3):
            definitions["id"] = "int GENERATED %s AS IDENTITY" % r.choice(["ALWAYS", "BY DEFAULT"])
            t.identity = "id"
        t.columns["id"] = "int"
        self.extras(t, definitions)
        self.create(t, definitions)
        t.key = ["id"]
        self.constraint(t, "PRIMARY KEY (id)", late=False)
        for n in range(1, r.randint(3, 15)):
            t.rows.append({"id": str(n)})
        if r.random() < 0.6:
            self.refer(t, r.choice(lookups), "with", nullable=True)
        others = [x for x in self.tables if x.kind == "alone" and x is not t]
        if others and r.random() < 0.4:
            self.refer(t, r.choice(others), "next", nullable=True)

    def cycle(self, root, owned):
        if owned and owned[0].referable:
            self.refer(root, owned[0], "home", nullable=True, mutual=True)

    # Foreign keys -----------------------------------------------------------------------------------------------------

    def refer(self, t, other, prefix, column=None, nullable=False, mutual=False):
        """A foreign key from t to other with values that hold."""
        r = self.r
        t.references.append(other)
        columns = []
        if column:
            columns = [column]
        else:
            for c in other.key:
                if c == other.tenant and t.tenant and other.kind == "owned" and t.kind != "tenant":
                    columns.append(t.tenant)
                else:
                    own = quote("%s_%s_%d" % (prefix, other.kind, len(t.columns)))
                    t.columns[own] = other.columns[c]
                    # Columns are added by ALTER TABLE: the table is there already.
                    self.before.append("ALTER TABLE %s ADD COLUMN %s %s" % (t.full, own, other.columns[c]))
                    columns.append(own)
        orphans = self.chance("not valid", 0.08) and not t.partition
        text = r.choice(ACTIONS)
        if "SET NULL" in text and (len(columns) > 1 or not nullable):
            text = ""
        if len(columns) == 1 and r.random() < 0.06:
            text = " MATCH FULL" + text
        text += r.choice(DEFERRED)
        self.constraint(t, "FOREIGN KEY (%s) REFERENCES %s (%s)%s%s" % (
            ", ".join(columns), other.full, ", ".join(other.key), text, " NOT VALID" if orphans else ""), "fk")
        if column:
            if orphans and t.rows:
                t.rows[0][column] = self.key_value(self.key_type, 999)
            return
        for row in t.rows:
            if nullable and r.random() < 0.3:
                continue
            candidates = other.rows
            if t.tenant and other.tenant and t.kind != "tenant":
                candidates = [x for x in other.rows if x.get(other.tenant) == row.get(t.tenant)]
                if other is t:
                    candidates = [x for x in candidates if x is not row]
            if t.kind == "tenant" and other.kind == "owned":
                candidates = [x for x in other.rows if x.get(other.tenant) == row.get(t.key[0])]
            if not candidates:
                continue
            target = r.choice(candidates)
            for own, c in zip(columns, other.key):
                row[own] = target[c]
        if orphans and t.rows and len(columns) == 1 and other.columns[other.key[0]] in ("bigint", "int"):
            t.rows[-1][columns[0]] = "987654"

    def wanted(self, often):
        """All that belongs to a tenant by its tenant, lookups everywhere, as often as that."""
        wanted = {}
        for t in self.tables:
            if t.kind == "lookup":
                if self.r.random() < often:
                    wanted[t.full] = {"role": "reference"}
            elif t.kind == "alone" or t.kind == "detail" and (t.disagrees or t.ruled):
                wanted[t.full] = {"role": "local"}
            elif t.tenant or t.kind == "detail":
                column = t.tenant or self.tenant_column
                wanted[t.full] = {"role": "distributed", "column": column.strip('"'), "group": "of %s" % t.root.name}
        return wanted

    # Everything else ---------------------------------------------------------------------------------------------------

    def decorate(self, t):
        r, sql = self.r, self.after
        columns = [c for c in t.columns]
        if self.chance("uniques", 0.25):
            lead = "%s, " % t.tenant if t.tenant and r.random() < 0.5 else ""
            key = "%s%s" % (lead, t.key[-1] if t.key and t.key[-1] != t.tenant else "note")
            if t.partition:
                key += ", %s" % t.partition[1] if t.partition[1] not in key.split(", ") else ""
            self.constraint(t, "UNIQUE%s (%s)%s" % (r.choice(["", "", " NULLS NOT DISTINCT"]), key, r.choice(["", " DEFERRABLE", " WITH (fillfactor = 75)"])), "u")
        if self.chance("unique indexes", 0.2) and not t.partition:
            lead = "%s, " % t.tenant if t.tenant and r.random() < 0.5 else ""
            key = t.key[-1] if t.key else "note"
            name = quote(self.name("ui", "object names")[:63])
            sql.append("CREATE UNIQUE INDEX %s ON %s (%s%s)%s" % (name, t.full, lead, r.choice([
                key + " DESC NULLS LAST", "%s, lower(note) text_pattern_ops" % key, "%s, note COLLATE \"C\"" % key, "%s) INCLUDE (note" % key]), r.choice([
                    "", " WHERE note IS NOT NULL", " WITH (fillfactor = 66)"])))
            if r.random() < 0.3:
                sql.append("COMMENT ON INDEX %s.%s IS 'an index'" % (t.schema, name))
        if "span" in t.columns and not t.partition and self.chance("exclusion", 0.2):
            self.constraint(t, r.choice(["EXCLUDE USING gist (span WITH &&, id WITH =)", "EXCLUDE USING gist (%s WITH =, span WITH &&)" % (t.tenant or "id")]), "x")
        if self.chance("checks", 0.2):
            self.constraint(t, r.choice(["CHECK (note <> 'no')", "CHECK (public.size_of(note) < 999)", "CHECK (note <> 'no') NO INHERIT"]), "c")
        if self.chance("unchecked", 0.1) and not t.partition:
            self.constraint(t, "CHECK (note IS NULL) NOT VALID", "c")
        if self.chance("indexes", 0.4):
            name = quote(self.name("i", "object names")[:63])
            sql.append("CREATE INDEX %s ON %s %s" % (name, t.full, r.choice([
                "(%s)" % r.choice(columns), "(lower(note))", "USING hash (note)", "(note text_pattern_ops) WHERE note IS NOT NULL", "(public.size_of(note))",
                "(note COLLATE \"C\" DESC) INCLUDE (%s)" % columns[0], "USING brin (%s)" % columns[0], "(note) WITH (fillfactor = 55)"])))
            if r.random() < 0.2:
                sql.append("COMMENT ON INDEX %s.%s IS 'for speed'" % (t.schema, name))
        if self.chance("grants", 0.2):
            sql.append("GRANT SELECT, INSERT ON %s TO migration_reader%s" % (t.full, r.choice(["", " WITH GRANT OPTION"])))
            sql.append("GRANT UPDATE (note) ON %s TO migration_reader" % t.full)
        if self.chance("table comments", 0.2):
            sql.append("COMMENT ON TABLE %s IS 'it''s; a \\comment'" % t.full)
            sql.append("COMMENT ON COLUMN %s.note IS 'a column''s'" % t.full)
        if self.chance("column options", 0.1):
            sql.append("ALTER TABLE %s ALTER COLUMN note SET (n_distinct = 77)" % t.full)
            sql.append("ALTER TABLE %s ALTER COLUMN note SET STATISTICS 77" % t.full)
            sql.append("ALTER TABLE %s ALTER COLUMN note SET STORAGE external" % t.full)
        if self.chance("statistics", 0.1):
            sql.append("CREATE STATISTICS %s.%s (dependencies) ON note, %s FROM %s" % (t.schema, quote(self.name("st", "object names")[:63]), columns[0], t.full))
        if self.chance("triggers", 0.12):
            name = quote(self.name("tr", "object names")[:63])
            sql.append("CREATE TRIGGER %s BEFORE %s ON %s FOR EACH ROW EXECUTE FUNCTION public.touch()" % (name, r.choice(["INSERT", "UPDATE OF note"]), t.full))
            if r.random() < 0.2:
                sql.append("ALTER TABLE %s DISABLE TRIGGER %s" % (t.full, name))
            if r.random() < 0.2:
                sql.append("COMMENT ON TRIGGER %s ON %s IS 'fires'" % (name, t.full))
        if self.chance("policies", 0.1):
            sql.append("CREATE POLICY %s ON %s %s" % (quote(self.name("po", "object names")[:63]), t.full, r.choice([
                "USING (note IS NOT NULL)", "FOR SELECT TO migration_reader USING (true)", "USING (note IN (SELECT 'a'))"])))
            if r.random() < 0.5:
                sql.append("ALTER TABLE %s ENABLE ROW LEVEL SECURITY" % t.full)
            if r.random() < 0.2:
                sql.append("ALTER TABLE %s FORCE ROW LEVEL SECURITY" % t.full)
        if self.chance("rules", 0.06) and not t.partition:
            t.ruled = True
            name = quote(self.name("ru", "object names")[:63])
            sql.append("CREATE RULE %s AS ON DELETE TO %s WHERE old.note = 'keep' DO INSTEAD NOTHING" % (name, t.full))
            if r.random() < 0.3:
                sql.append("COMMENT ON RULE %s ON %s IS 'a rule'" % (name, t.full))
        if t.key and self.chance("cluster", 0.06) and not t.partition:
            sql.append("DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE %%s CLUSTER ON %%I', indrelid::regclass, c.relname) FROM pg_index i JOIN "
                       "pg_class c ON c.oid = indexrelid WHERE indrelid = '%s'::regclass ORDER BY c.relname LIMIT 1); END $$" % t.full.replace("'", "''"))
        if self.chance("replica identity", 0.1):
            sql.append(r.choice(["ALTER TABLE %s REPLICA IDENTITY FULL" % t.full,
                "DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE %%s REPLICA IDENTITY USING INDEX %%I', indrelid::regclass, c.relname) FROM pg_index i JOIN "
                "pg_class c ON c.oid = indexrelid WHERE indrelid = '%s'::regclass AND indisunique ORDER BY c.relname LIMIT 1); END $$" % t.full.replace("'", "''")]))
        if self.chance("publications", 0.05):
            self.number += 1
            sql.append("CREATE PUBLICATION p%d FOR TABLE %s" % (self.number, t.full))

    def views(self):
        r, sql = self.r, self.after
        made = []
        for _ in range(r.choice([0, 0, 1, 2, 3, 4])):
            schema, name = r.choice(SCHEMAS), quote(self.name("v", "object names")[:63])
            t = r.choice(self.tables)
            materialized = self.chance("materialized views", 0.35)
            if made and r.random() < 0.4:
                body = "SELECT note, count(*) AS n FROM %s GROUP BY note" % r.choice(made)
                column = "note"
            elif t.references and r.random() < 0.4:
                body = "SELECT a.note, b.note AS other FROM %s a LEFT JOIN %s b ON a.note = b.note" % (t.full, r.choice(t.references).full)
            else:
                body = "SELECT * FROM %s" % t.full
            full = "%s.%s" % (schema, name)
            options = " WITH (security_barrier)" if not materialized and r.random() < 0.2 else ""
            sql.append("CREATE %sVIEW %s%s AS %s" % ("MATERIALIZED " if materialized else "", full, options, body))
            made.append(full)
            if materialized and r.random() < 0.7:
                sql.append("CREATE INDEX %s ON %s (note)" % (quote(self.name("mi", "object names")[:63]), full))
            if self.chance("view grants", 0.4):
                sql.append("GRANT SELECT ON %s TO migration_reader" % full)
                sql.append("COMMENT ON %sVIEW %s IS 'a view'" % ("MATERIALIZED " if materialized else "", full))
                sql.append("COMMENT ON COLUMN %s.note IS 'a column of a view'" % full)
            if self.chance("view owners", 0.1):
                sql.append("ALTER %sVIEW %s OWNER TO migration_owner" % ("MATERIALIZED " if materialized else "", full))
            if not materialized and self.chance("view rules", 0.1):
                sql.append("CREATE RULE r%d AS ON INSERT TO %s DO INSTEAD NOTHING" % (self.number, full))
            if not materialized and self.chance("view defaults", 0.1):
                sql.append("ALTER VIEW %s ALTER COLUMN note SET DEFAULT 'x'" % full)
        if self.seed % 7 == 3:
            # Functions that take rows, and views that call them.
            t = random.Random(self.seed).choice([t for t in self.tables if not t.partition])
            sql.append("CREATE FUNCTION public.note_of(%s) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.note'" % t.full)
            sql.append("COMMENT ON FUNCTION public.note_of(%s) IS 'takes rows'" % t.full)
            sql.append("REVOKE ALL ON FUNCTION public.note_of(%s) FROM PUBLIC" % t.full)
            sql.append("GRANT EXECUTE ON FUNCTION public.note_of(%s) TO migration_reader" % t.full)
            sql.append("CREATE FUNCTION public.all_of() RETURNS SETOF %s LANGUAGE sql STABLE SET search_path = '' AS %s" % (t.full, literal("SELECT * FROM " + t.full)))
            sql.append("ALTER FUNCTION public.all_of() OWNER TO migration_owner")
            sql.append("CREATE VIEW public.from_function AS SELECT note FROM public.all_of()")
            sql.append("CREATE VIEW public.taking_rows AS SELECT public.note_of(t) AS note FROM %s t" % t.full)
            sql.append("CREATE VIEW public.over_taking_rows AS SELECT count(*) AS n FROM public.taking_rows")
            sql.append("GRANT SELECT ON public.taking_rows TO migration_reader")

    def inserts(self, t):
        statements = []
        for n, row in enumerate(t.rows):
            values = dict(row)
            for c, text in t.columns.items():
                if c not in values and c in ("note", "amount", "mood", "seen", "data", "span", '"Twice"', "title", "tags"):
                    values[c] = self.value(c, text, n)
            statements.append("INSERT INTO %s (%s)%s VALUES (%s)" % (t.full, ", ".join(values), " OVERRIDING SYSTEM VALUE" if t.identity else "", ", ".join(values.values())))
        if t.identity:
            statements.append("SELECT setval(pg_get_serial_sequence(%s, %s), 500)" % (literal(t.full), literal(t.identity.strip('"'))))
        return statements


def literal(text):
    return "'" + text.replace("'", "''") + "'" if "\\" not in text else "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def generate(seed):
    """The statements of a schema with its rows."""
    return Populated(seed).make()


def overrides(seed):
    """For some seeds the opinion of a user."""
    maker = Populated(seed)
    maker.make()
    return {} if maker.r.random() < 0.6 else maker.wanted(0.8)


def wanted(seed):
    """What is possible whatever the rows are."""
    maker = Populated(seed)
    maker.make()
    return maker.wanted(1)


if __name__ == "__main__":
    import sys
    print(";\n".join(generate(int(sys.argv[1]))) + ";")
