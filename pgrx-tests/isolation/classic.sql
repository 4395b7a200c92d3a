-- The trigger that everybody copies (ioguix 2015: advisory lock on the key, then count over the parent), behind the
-- name of the real thing, so that the same tests run against it: they have to be able to fail.
-- Two kindnesses: it raises SQLSTATE and text of a native violation, and its function is made per column, so that specs
-- differ by what happens and not by wording.
CREATE SCHEMA advisor;

CREATE FUNCTION advisor.add_global_unique(
    relation regclass, columns name[], constraint_name name DEFAULT NULL, is_deferrable boolean DEFAULT false,
    initially_deferred boolean DEFAULT false, not_valid boolean DEFAULT false, create_indexes boolean DEFAULT true,
    if_not_exists boolean DEFAULT false
) RETURNS name LANGUAGE plpgsql AS $make$
DECLARE
    root pg_class := (SELECT c FROM pg_class c WHERE c.oid = relation);
    con name := coalesce(constraint_name, root.relname || '_' || array_to_string(columns, '_') || '_key');
    fn text := format('%I.%I', 'public', 'classic_' || relation::oid || '_' || con);
    types oid[] := (SELECT array_agg(a.atttypid::oid ORDER BY k.n)
        FROM unnest(columns) WITH ORDINALITY k(name, n)
        JOIN pg_attribute a ON a.attrelid = relation AND a.attname = k.name);
    key_value text;
    condition text := (SELECT string_agg(format('%1$I = NEW.%1$I', c), ' AND ') FROM unnest(columns) c);
    member regclass;
BEGIN
    key_value := CASE
        WHEN array_length(columns, 1) = 1 AND types[1] IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
            THEN format('NEW.%I', columns[1])
        WHEN array_length(columns, 1) = 1 THEN format('hashtext(NEW.%I::text)', columns[1])
        ELSE format('hashtext(ROW(%s)::text)', (SELECT string_agg(format('NEW.%I', c), ', ') FROM unnest(columns) c))
    END;
    EXECUTE format($body$
        CREATE FUNCTION %1$s() RETURNS trigger LANGUAGE plpgsql AS $trigger$
        BEGIN
            PERFORM pg_advisory_xact_lock(%2$s);
            IF count(1) > 1 FROM %3$I WHERE %4$s THEN
                RAISE EXCEPTION 'duplicate key value violates unique constraint "%%"', %5$L USING ERRCODE = '23505';
            END IF;
            RETURN NULL;
        END $trigger$ $body$, fn, key_value, root.relname, condition, con);
    FOR member IN
        WITH RECURSIVE tree(oid) AS (
            SELECT relation::oid
            UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid
                JOIN pg_class p ON p.oid = i.inhparent AND p.relkind = 'r'
        ) SELECT oid::regclass FROM tree ORDER BY oid
    LOOP
        EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER INSERT OR UPDATE ON %s%s FOR EACH ROW EXECUTE FUNCTION %s()',
            con, member,
            CASE WHEN initially_deferred THEN ' DEFERRABLE INITIALLY DEFERRED' WHEN is_deferrable THEN ' DEFERRABLE' END,
            fn);
    END LOOP;
    RETURN con;
END $make$;

CREATE FUNCTION advisor.add_global_unique(
    relation regclass, columns name, constraint_name name DEFAULT NULL, is_deferrable boolean DEFAULT false,
    initially_deferred boolean DEFAULT false, not_valid boolean DEFAULT false, create_indexes boolean DEFAULT true,
    if_not_exists boolean DEFAULT false
) RETURNS name LANGUAGE sql AS
'SELECT advisor.add_global_unique($1, ARRAY[$2], $3, $4, $5, $6, $7, $8)';

GRANT USAGE ON SCHEMA advisor TO PUBLIC;

-- What one writes by hand for a foreign key of one column: FOR KEY SHARE from a trigger, and triggers on the referenced side
-- that look, or delete, with plain queries.
CREATE FUNCTION advisor.add_global_foreign_key(
    relation regclass, columns name, referenced regclass, referenced_columns name, constraint_name name DEFAULT NULL,
    match_type text DEFAULT 'simple', on_delete text DEFAULT 'no action', on_update text DEFAULT 'no action',
    is_deferrable boolean DEFAULT false, initially_deferred boolean DEFAULT false, not_valid boolean DEFAULT false,
    if_not_exists boolean DEFAULT false
) RETURNS name LANGUAGE plpgsql AS $make$
DECLARE
    con name := coalesce(constraint_name, relation::text || '_' || columns || '_fkey');
BEGIN
    EXECUTE format($body$
        CREATE FUNCTION %1$I() RETURNS trigger LANGUAGE plpgsql AS $trigger$
        BEGIN
            IF NEW.%2$I IS NOT NULL THEN
                PERFORM 1 FROM %3$s WHERE %4$I = NEW.%2$I FOR KEY SHARE;
                IF NOT FOUND THEN
                    RAISE EXCEPTION 'insert or update on table "%%" violates foreign key constraint "%%"', TG_TABLE_NAME, %5$L
                        USING ERRCODE = '23503';
                END IF;
            END IF;
            RETURN NULL;
        END $trigger$ $body$, con || '_check', columns, referenced, referenced_columns, con);
    EXECUTE format($body$
        CREATE FUNCTION %1$I() RETURNS trigger LANGUAGE plpgsql AS $trigger$
        BEGIN
            IF TG_OP = 'UPDATE' AND NEW.%4$I = OLD.%4$I THEN RETURN NULL; END IF;
            IF TG_OP = 'DELETE' AND %6$L = 'cascade' THEN
                DELETE FROM %3$s WHERE %2$I = OLD.%4$I;
            ELSIF EXISTS (SELECT FROM %3$s WHERE %2$I = OLD.%4$I) THEN
                RAISE EXCEPTION 'update or delete on table "%%" violates foreign key constraint "%%" on table "%%"',
                    TG_TABLE_NAME, %5$L, %7$L USING ERRCODE = '23503';
            END IF;
            RETURN NULL;
        END $trigger$ $body$, con || '_gone', columns, relation, referenced_columns, con, on_delete, relation::text);
    EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER INSERT OR UPDATE ON %s%s FOR EACH ROW EXECUTE FUNCTION %I()',
        con, relation,
        CASE WHEN initially_deferred THEN ' DEFERRABLE INITIALLY DEFERRED' WHEN is_deferrable THEN ' DEFERRABLE' END,
        con || '_check');
    EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION %I()',
        con || '_gone', referenced, con || '_gone');
    RETURN con;
END $make$;
