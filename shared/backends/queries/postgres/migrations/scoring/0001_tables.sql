-- Times are microseconds since 1970-01-01T00:00:00Z, days are days since then, months are months since then.

-- System tables: read across tenants, without row-level security.
CREATE TABLE feed_head (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  sequence bigint NOT NULL,
  PRIMARY KEY (tenant_id, slice)
) WITH (fillfactor = 20);

CREATE TABLE cursor (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  position bigint NOT NULL,
  closed_on integer,
  closes_at bigint,
  clock bigint,
  importing boolean NOT NULL DEFAULT false,
  pending_history smallint,
  restated_from integer,
  watermark bigint,
  version bigint NOT NULL,
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

CREATE TABLE rollup_month (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  uid uuid NOT NULL,
  month integer NOT NULL,
  cells bytea NOT NULL,
  PRIMARY KEY (tenant_id, slice, uid, month)
) WITH (fillfactor = 70); -- rewritten while its month lasts: leave room for heap-only updates

CREATE TABLE model (
  tenant_id uuid NOT NULL,
  closed_on integer NOT NULL,
  known_at bigint NOT NULL,
  models bytea NOT NULL,
  PRIMARY KEY (tenant_id, closed_on)
);

CREATE TABLE feed (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  sequence bigint NOT NULL,
  payload bytea NOT NULL,
  PRIMARY KEY (tenant_id, slice, sequence)
);

SELECT isolate(name::regclass)
FROM unnest(ARRAY['replica_account', 'replica_fact', 'rollup_month', 'model', 'feed']) AS name;

GRANT SELECT, INSERT, UPDATE ON feed_head, cursor, replica_account, rollup_month, model TO sextant_app;
GRANT SELECT, INSERT ON replica_fact, feed TO sextant_app;
