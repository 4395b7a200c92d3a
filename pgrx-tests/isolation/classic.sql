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

-- And the foreign key that everybody writes: look for the referenced row, lock it; look for referencing rows.
CREATE FUNCTION advisor.add_global_foreign_key(
    relation regclass, columns name[], referenced regclass, referenced_columns name[], constraint_name name DEFAULT NULL,
    match_type text DEFAULT 'simple', on_delete text DEFAULT 'no action', on_update text DEFAULT 'no action',
    is_deferrable boolean DEFAULT false, initially_deferred boolean DEFAULT false, not_valid boolean DEFAULT false,
    if_not_exists boolean DEFAULT false
) RETURNS name LANGUAGE plpgsql AS $make$
DECLARE
    fk name := (SELECT relname FROM pg_class WHERE oid = relation);
    pk name := (SELECT relname FROM pg_class WHERE oid = referenced);
    con name := coalesce(constraint_name, fk || '_' || array_to_string(columns, '_') || '_fkey');
    fn text := 'public.classic_fk_' || relation::oid || '_' || con;
    timing text := CASE WHEN initially_deferred THEN ' DEFERRABLE INITIALLY DEFERRED' WHEN is_deferrable THEN ' DEFERRABLE' ELSE '' END;
    key_values text := (SELECT string_agg(format('NEW.%I', c), ', ') FROM unnest(columns) c);
    old_values text := (SELECT string_agg(format('OLD.%I', c), ', ') FROM unnest(referenced_columns) c);
    new_values text := (SELECT string_agg(format('NEW.%I', c), ', ') FROM unnest(referenced_columns) c);
    is_there text := (SELECT string_agg(format('x.%I = NEW.%I', r, c), ' AND ') FROM unnest(columns, referenced_columns) u(c, r));
    refers text := (SELECT string_agg(format('x.%I = OLD.%I', c, r), ' AND ') FROM unnest(columns, referenced_columns) u(c, r));
    event text;
    action text;
    member regclass;
BEGIN
    EXECUTE format($body$
        CREATE FUNCTION %1$s_insert() RETURNS trigger LANGUAGE plpgsql AS $trigger$
        BEGIN
            IF num_nulls(%2$s) > 0 THEN
                IF num_nonnulls(%2$s) > 0 AND %7$L = 'full' THEN
                    RAISE foreign_key_violation USING
                        MESSAGE = 'insert or update on table "' || TG_TABLE_NAME || '" violates foreign key constraint "%5$s"',
                        DETAIL = 'MATCH FULL does not allow mixing of null and nonnull key values.',
                        SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = %5$L;
                END IF;
                RETURN NULL;
            END IF;
            PERFORM 1 FROM %3$I x WHERE %4$s FOR KEY SHARE;
            IF NOT FOUND THEN
                RAISE foreign_key_violation USING
                    MESSAGE = 'insert or update on table "' || TG_TABLE_NAME || '" violates foreign key constraint "%5$s"',
                    DETAIL = 'Key (%6$s)=(' || concat_ws(', ', %2$s) || ') is not present in table "%3$s".',
                    SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, CONSTRAINT = %5$L;
            END IF;
            RETURN NULL;
        END $trigger$ $body$, fn, key_values, pk, is_there, con, array_to_string(columns, ', '), match_type);
    FOREACH event IN ARRAY ARRAY['delete', 'update'] LOOP
        action := CASE event WHEN 'delete' THEN on_delete ELSE on_update END;
        EXECUTE format($body$
            CREATE FUNCTION %1$s_%2$s() RETURNS trigger LANGUAGE plpgsql AS $trigger$
            BEGIN
                %3$s
                RETURN NULL;
            END $trigger$ $body$, fn, event,
            CASE WHEN event = 'update' THEN format('IF (%s) IS NOT DISTINCT FROM (%s) THEN RETURN NULL; END IF;', old_values, new_values) ELSE '' END
            || CASE
                WHEN action = 'cascade' AND event = 'delete' THEN format('DELETE FROM %I x WHERE %s;', fk, refers)
                WHEN action = 'cascade' THEN format('UPDATE %I x SET %s WHERE %s;', fk,
                    (SELECT string_agg(format('%I = NEW.%I', c, r), ', ') FROM unnest(columns, referenced_columns) u(c, r)), refers)
                WHEN action LIKE 'set null (%' THEN format('UPDATE %I x SET %I = NULL WHERE %s;', fk, columns[1], refers)
                WHEN action = 'set null' THEN format('UPDATE %I x SET %s WHERE %s;', fk,
                    (SELECT string_agg(format('%I = NULL', c), ', ') FROM unnest(columns) c), refers)
                WHEN action = 'set default' THEN format('UPDATE %I x SET %s WHERE %s;', fk,
                    (SELECT string_agg(format('%I = DEFAULT', c), ', ') FROM unnest(columns) c), refers)
                ELSE format($refuse$
                    IF EXISTS (SELECT 1 FROM %1$I x WHERE %2$s) THEN
                        RAISE foreign_key_violation USING
                            MESSAGE = 'update or delete on table "' || TG_TABLE_NAME || '" violates foreign key constraint "%3$s" on table "%1$s"',
                            DETAIL = 'Key (%4$s)=(' || concat_ws(', ', %5$s) || ') is still referenced from table "%1$s".',
                            SCHEMA = TG_TABLE_SCHEMA, TABLE = %1$L, CONSTRAINT = %3$L;
                    END IF;$refuse$, fk, refers, con, array_to_string(referenced_columns, ', '), old_values)
            END);
    END LOOP;
    FOR member IN
        WITH RECURSIVE tree(oid) AS (
            SELECT relation::oid
            UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid
                JOIN pg_class p ON p.oid = i.inhparent AND p.relkind = 'r'
        ) SELECT oid::regclass FROM tree ORDER BY oid
    LOOP
        EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER INSERT OR UPDATE ON %s%s FOR EACH ROW EXECUTE FUNCTION %s_insert()',
            con, member, timing, fn);
    END LOOP;
    FOR member IN
        WITH RECURSIVE tree(oid) AS (
            SELECT referenced::oid
            UNION SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid
                JOIN pg_class p ON p.oid = i.inhparent AND p.relkind = 'r'
        ) SELECT oid::regclass FROM tree ORDER BY oid
    LOOP
        FOREACH event IN ARRAY ARRAY['delete', 'update'] LOOP
            EXECUTE format('CREATE CONSTRAINT TRIGGER %I AFTER %s ON %s%s FOR EACH ROW EXECUTE FUNCTION %s_%2$s()',
                con || '_' || event, event, member,
                CASE WHEN CASE event WHEN 'delete' THEN on_delete ELSE on_update END = 'no action' THEN timing ELSE '' END, fn);
        END LOOP;
    END LOOP;
    RETURN con;
END $make$;

CREATE FUNCTION advisor.add_global_foreign_key(
    relation regclass, columns name, referenced regclass, referenced_columns name, constraint_name name DEFAULT NULL,
    match_type text DEFAULT 'simple', on_delete text DEFAULT 'no action', on_update text DEFAULT 'no action',
    is_deferrable boolean DEFAULT false, initially_deferred boolean DEFAULT false, not_valid boolean DEFAULT false,
    if_not_exists boolean DEFAULT false
) RETURNS name LANGUAGE sql AS
'SELECT advisor.add_global_foreign_key($1, ARRAY[$2], $3, ARRAY[$4], $5, $6, $7, $8, $9, $10, $11, $12)';

GRANT USAGE ON SCHEMA advisor TO PUBLIC;
