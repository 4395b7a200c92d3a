-- What a migration that was cut off has written down; read only where its schema is there and may be read.
SELECT 'moved' AS kind, t.relation, NULL AS model FROM planned_migration.tables t WHERE NOT t.cleaned
UNION ALL
SELECT 'placement', p.relation, json_build_object('role', p.role, 'distribution_column', p.distribution_column,
  'colocation_group', p.colocation_group)::text
FROM planned_migration.placements p
UNION ALL
SELECT 'foreign key', w.relation, w.model::text FROM planned_migration.ways w
WHERE EXISTS (SELECT FROM planned_migration.put_aside p WHERE p.kind = 'column')
UNION ALL
SELECT p.kind, p.relation, p.model::text FROM planned_migration.put_aside p
