-- Times are microseconds since 1970-01-01T00:00:00Z.

-- System tables: read across tenants, without row-level security.
CREATE TABLE cursor (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (tenant_id, slice)
) WITH (fillfactor = 20);

CREATE TABLE move_cursor (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  position bigint NOT NULL,
  facts_sequence bigint NOT NULL,
  PRIMARY KEY (tenant_id, slice)
) WITH (fillfactor = 20);

-- Tenant tables.
CREATE TABLE replica_account (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  uid uuid NOT NULL,
  external_id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (tenant_id, slice, uid)
);

CREATE TABLE replica_fact (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  uid uuid NOT NULL,
  sequence bigint NOT NULL,
  ordinal bigint NOT NULL,
  kind smallint NOT NULL,
  occurred_at bigint NOT NULL,
  known_at bigint NOT NULL,
  record bytea NOT NULL,
  PRIMARY KEY (tenant_id, slice, uid, sequence, ordinal)
);

CREATE TABLE account_move (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  place bigint GENERATED ALWAYS AS IDENTITY,
  uid uuid NOT NULL,
  segmentation text NOT NULL,
  segment text NOT NULL,
  moved_at bigint NOT NULL,
  known_at bigint NOT NULL,
  PRIMARY KEY (tenant_id, slice, place)
);

SELECT isolate(name::regclass) FROM unnest(ARRAY['replica_account', 'replica_fact', 'account_move']) AS name;

GRANT SELECT, INSERT, UPDATE ON cursor, move_cursor, replica_account TO sextant_app;
GRANT SELECT, INSERT ON replica_fact, account_move TO sextant_app;
