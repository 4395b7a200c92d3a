-- What must be the same after a restore, whatever its form: constraints, their triggers, their health.
SELECT relation, constraint_name, columns, is_deferrable, initially_deferred, partitions, healthy, problems
FROM advisor.global_constraints ORDER BY 1, 2;
SELECT tgrelid::regclass, tgname, tgenabled, pg_get_triggerdef(oid)
FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgrelid::regclass::text, tgname;
