SELECT p.pubname AS name, p.puballtables AS all_tables,
  ARRAY(
    SELECT pr.prrelid::int8 FROM pg_catalog.pg_publication_rel pr WHERE pr.prpubid = p.oid
    UNION
    SELECT r.oid::int8 FROM pg_catalog.pg_publication_namespace pn
    JOIN pg_catalog.pg_class c ON c.relnamespace = pn.pnnspid
    JOIN relation r ON r.oid = c.oid
    WHERE pn.pnpubid = p.oid
  ) AS tables
FROM pg_catalog.pg_publication p
