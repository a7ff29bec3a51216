-- Times are microseconds since 1970-01-01T00:00:00Z, hours are hours since then.

-- System tables: read across tenants, without row-level security.
CREATE TABLE tenant (
  tenant_id uuid NOT NULL,
  name text COLLATE "C" NOT NULL,
  time_zone text NOT NULL,
  base_currency text NOT NULL,
  fixed_clock bigint,
  retention_days bigint NOT NULL,
  n_slices integer NOT NULL,
  importing boolean NOT NULL,
  created_at bigint NOT NULL,
  rfm_tie_policy text NOT NULL,
  PRIMARY KEY (tenant_id),
  CONSTRAINT tenant_name_key UNIQUE (name)
);

CREATE TABLE access_key (
  key_id text COLLATE "C" NOT NULL,
  secret_sha256 bytea NOT NULL,
  tenant_id uuid,
  scopes bigint NOT NULL,
  title text NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint,
  revoked_at bigint,
  PRIMARY KEY (key_id)
);

CREATE TABLE feed_head (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  sequence bigint NOT NULL,
  PRIMARY KEY (tenant_id, slice)
) WITH (fillfactor = 20); -- updated by every commit: leave room for heap-only updates

-- Tenant tables.
CREATE TABLE account (
  tenant_id uuid NOT NULL,
  external_id text COLLATE "C" NOT NULL,
  uid uuid NOT NULL,
  slice integer NOT NULL,
  PRIMARY KEY (tenant_id, external_id)
);

-- What has been stored, by identity: the hour of the record's own time and a hash of source and id. Local in time, so the
-- cost of an insert does not grow with history.
CREATE TABLE dedupe (
  tenant_id uuid NOT NULL,
  hour integer NOT NULL,
  hash uuid NOT NULL,
  payload uuid NOT NULL,
  PRIMARY KEY (tenant_id, hour, hash)
) PARTITION BY RANGE (hour);

CREATE TABLE fact (
  tenant_id uuid NOT NULL,
  batch_id uuid NOT NULL,
  occurred_at bigint NOT NULL,
  known_at bigint NOT NULL,
  ordinal integer NOT NULL,
  slice integer NOT NULL,
  kind smallint NOT NULL,
  historical boolean NOT NULL,
  account_uid uuid,
  record bytea NOT NULL,
  PRIMARY KEY (tenant_id, batch_id, slice, ordinal, occurred_at)
) PARTITION BY RANGE (occurred_at);

-- Events (kind 4) are read by feed only. An index over them would be random insertion into something that outgrows memory.
CREATE INDEX fact_version ON fact (tenant_id, account_uid, occurred_at, known_at) WHERE kind <> 4;

CREATE TABLE held (
  tenant_id uuid NOT NULL,
  hour integer NOT NULL,
  hash uuid NOT NULL,
  payload uuid NOT NULL,
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  external_id text COLLATE "C" NOT NULL,
  source text NOT NULL,
  kind smallint NOT NULL,
  occurred_at bigint NOT NULL,
  known_at bigint NOT NULL,
  historical boolean NOT NULL,
  received_at bigint NOT NULL,
  record bytea NOT NULL,
  PRIMARY KEY (tenant_id, hour, hash)
);
CREATE UNIQUE INDEX held_ordinal ON held (tenant_id, ordinal);
CREATE INDEX held_account ON held (tenant_id, external_id);

-- The key is of source, id or content, and reason: a record that comes again is listed once.
CREATE TABLE rejection (
  tenant_id uuid NOT NULL,
  ordinal bigint GENERATED ALWAYS AS IDENTITY,
  key uuid NOT NULL,
  source text NOT NULL,
  field text NOT NULL,
  reason text NOT NULL,
  hint text NOT NULL,
  received_at bigint NOT NULL,
  record bytea NOT NULL,
  PRIMARY KEY (tenant_id, ordinal)
);
CREATE UNIQUE INDEX rejection_key ON rejection (tenant_id, key);

CREATE TABLE source_count (
  tenant_id uuid NOT NULL,
  source text COLLATE "C" NOT NULL,
  accepted bigint NOT NULL,
  duplicate bigint NOT NULL,
  conflict bigint NOT NULL,
  held bigint NOT NULL,
  rejected bigint NOT NULL,
  last_received_at bigint NOT NULL,
  PRIMARY KEY (tenant_id, source)
) WITH (fillfactor = 20);

-- An entry names its batch; the facts are found by it. The bounds let the reader skip all other months.
CREATE TABLE feed (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  sequence bigint NOT NULL,
  recorded_at bigint NOT NULL,
  batch_id uuid,
  first_at bigint,
  last_at bigint,
  record_bytes bigint NOT NULL,
  import smallint,
  clock bigint,
  PRIMARY KEY (tenant_id, slice, sequence)
);

-- Answers to requests that changed something. Those of the installation have the nil UUID for a tenant.
CREATE TABLE request (
  tenant_id uuid NOT NULL,
  method text COLLATE "C" NOT NULL,
  request_id uuid NOT NULL,
  parameters uuid NOT NULL,
  stored_at bigint NOT NULL,
  answer bytea NOT NULL,
  PRIMARY KEY (tenant_id, method, request_id)
);
CREATE INDEX request_time ON request (tenant_id, stored_at);

SELECT isolate(name::regclass)
FROM unnest(ARRAY['account', 'dedupe', 'fact', 'held', 'rejection', 'source_count', 'feed', 'request']) AS name;

GRANT SELECT, INSERT, UPDATE ON tenant, access_key, feed_head, source_count TO sextant_app;
GRANT SELECT, INSERT ON account, dedupe, fact, rejection, feed TO sextant_app;
GRANT SELECT, INSERT, DELETE ON held TO sextant_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON request TO sextant_app;

-- Makes the partition of a month (months since 1970-01; below 0 and from 2400 on there is one partition each). Runs with
-- the rights of the migrator, because the application role owns nothing. Attaching does not wait for readers and writers.
CREATE FUNCTION create_partition(parent text, month integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = sextant_ingestion, pg_temp AS $$
DECLARE
  n_months CONSTANT integer := 2400;
  bounded integer := greatest(least(month, n_months), -1);
  partition text;
  hours bigint;
  lower_bound text := 'MINVALUE';
  upper_bound text := 'MAXVALUE';
BEGIN
  IF parent = 'dedupe' THEN
    hours := 1;
  ELSIF parent = 'fact' THEN
    hours := 3600000000;
  ELSE
    RAISE EXCEPTION 'table "%" is not partitioned by month', parent;
  END IF;
  partition := parent || CASE
    WHEN bounded < 0 THEN '_before'
    WHEN bounded >= n_months THEN '_after'
    ELSE to_char(date '1970-01-01' + make_interval(months => bounded), '"_"YYYY_MM')
  END;
  IF bounded >= 0 THEN
    lower_bound := (((date '1970-01-01' + make_interval(months => bounded))::date - date '1970-01-01') * 24 * hours)::text;
  END IF;
  IF bounded < n_months THEN
    upper_bound := (((date '1970-01-01' + make_interval(months => bounded + 1))::date - date '1970-01-01') * 24 * hours)::text;
  END IF;
  PERFORM pg_advisory_xact_lock(6010512187513);
  IF to_regclass(partition) IS NOT NULL THEN
    RETURN;
  END IF;
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', partition, parent);
  PERFORM isolate(partition::regclass);
  EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', parent, partition, lower_bound, upper_bound);
END
$$;
REVOKE ALL ON FUNCTION create_partition(text, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION create_partition(text, integer) TO sextant_app;
