-- Findings that reports leave out. Everyone may read it; whoever owns the extension may grant more.
CREATE TABLE advisor.ignored_findings (
  fingerprint text PRIMARY KEY,
  reason text NOT NULL
);
REVOKE ALL ON advisor.ignored_findings FROM PUBLIC;
GRANT SELECT ON advisor.ignored_findings TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('advisor.ignored_findings', '');
