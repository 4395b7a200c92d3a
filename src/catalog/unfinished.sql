-- What a migration that was cut off has written down; read only where its schema is there and may be read.
SELECT 'moved' AS kind, t.relation, NULL AS model FROM planned_migration.tables t WHERE NOT t.cleaned
UNION ALL
SELECT p.kind, p.relation, p.model::text FROM planned_migration.put_aside p
