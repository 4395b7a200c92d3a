-- Which members of a constraint may hold which keys: read and written by the row trigger alone (src/enforcement/claims.rs).
-- Unlogged: in a crash all of it goes, which costs time and nothing else. A row with a trigger marks a member whose keys are
-- all claimed.
CREATE UNLOGGED TABLE advisor.global_key_claims (
  place bigint NOT NULL,
  member oid NOT NULL,
  of bigint NOT NULL,
  level smallint NOT NULL,
  slot bigint NOT NULL,
  trigger oid
);
CREATE INDEX global_key_claims_by_place ON advisor.global_key_claims (place, member);
CREATE INDEX global_key_claims_by_member ON advisor.global_key_claims (of, member);
REVOKE ALL ON advisor.global_key_claims FROM PUBLIC;
COMMENT ON TABLE advisor.global_key_claims IS
  'which tables of a global unique constraint may hold which keys; TRUNCATE does no harm (DELETE would), and repair_constraints makes it again';
