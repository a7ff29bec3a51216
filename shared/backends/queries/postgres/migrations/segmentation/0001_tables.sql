-- Times are microseconds since 1970-01-01T00:00:00Z, days are days since then.

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
  facts_sequence bigint NOT NULL,
  closed_on integer,
  version bigint NOT NULL,
  PRIMARY KEY (tenant_id, slice)
) WITH (fillfactor = 20);

-- Tenant tables.
CREATE TABLE account (
  tenant_id uuid NOT NULL,
  uid uuid NOT NULL,
  slice integer NOT NULL,
  external_id text COLLATE "C" NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (tenant_id, uid)
);
CREATE UNIQUE INDEX account_external_id ON account (tenant_id, external_id);

CREATE TABLE segmentation (
  tenant_id uuid NOT NULL,
  key text COLLATE "C" NOT NULL,
  number integer NOT NULL,
  segmenter_id text NOT NULL,
  config text NOT NULL,
  version bigint NOT NULL,
  plugin_digest text NOT NULL,
  created_at bigint NOT NULL,
  closed_on integer,
  PRIMARY KEY (tenant_id, key)
);
CREATE UNIQUE INDEX segmentation_number ON segmentation (tenant_id, number);

CREATE TABLE membership (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  segmentation integer NOT NULL,
  uid uuid NOT NULL,
  state smallint NOT NULL,
  segment text COLLATE "C" NOT NULL,
  entered_at bigint NOT NULL,
  close_state smallint NOT NULL,
  close_segment text COLLATE "C" NOT NULL,
  transition bytea NOT NULL,
  PRIMARY KEY (tenant_id, slice, segmentation, uid)
);
CREATE UNIQUE INDEX membership_account ON membership (tenant_id, uid, segmentation);

CREATE TABLE transition (
  tenant_id uuid NOT NULL,
  id uuid NOT NULL,
  segmentation integer NOT NULL,
  uid uuid NOT NULL,
  moved_at bigint NOT NULL,
  known_at bigint NOT NULL,
  to_state smallint NOT NULL,
  to_segment text COLLATE "C" NOT NULL,
  value_minor bigint NOT NULL,
  downward boolean NOT NULL,
  is_move boolean NOT NULL,
  is_correction boolean NOT NULL,
  transition bytea NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX transition_account ON transition (tenant_id, uid, segmentation, moved_at, id);
CREATE INDEX transition_time ON transition (tenant_id, moved_at, id);

CREATE TABLE feed (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  sequence bigint NOT NULL,
  payload bytea NOT NULL,
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
FROM unnest(ARRAY['account', 'segmentation', 'membership', 'transition', 'feed', 'request']) AS name;

GRANT SELECT, INSERT, UPDATE ON feed_head, cursor, account, membership TO sextant_app;
GRANT SELECT, INSERT ON segmentation, transition, feed TO sextant_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON request TO sextant_app;
