-- System tables: segmenters are published for the whole installation.
CREATE TABLE segmenter (
  digest text COLLATE "C" NOT NULL PRIMARY KEY,
  segmenter_id text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  platform text COLLATE "C" NOT NULL,
  state smallint NOT NULL,
  published_at bigint NOT NULL,
  segmenter bytea NOT NULL
);
CREATE UNIQUE INDEX segmenter_version ON segmenter (segmenter_id, version, platform);

CREATE TABLE segmenter_code (
  digest text COLLATE "C" NOT NULL,
  chunk integer NOT NULL,
  code bytea NOT NULL,
  PRIMARY KEY (digest, chunk)
);
-- Code is hardly compressed, and read as a whole.
ALTER TABLE segmenter_code ALTER COLUMN code SET STORAGE EXTERNAL;

-- Appended, never changed.
CREATE TABLE segmenter_event (
  number bigint NOT NULL PRIMARY KEY,
  at bigint NOT NULL,
  tenant_id uuid,
  segmenter_id text COLLATE "C" NOT NULL,
  segmentation_key text COLLATE "C" NOT NULL,
  revision bigint NOT NULL,
  event bytea NOT NULL
);

-- What each process of the service says of the versions that it has to have; an empty digest: that it lives. When: by the clock of the
-- database, for those of processes may differ.
CREATE TABLE replica (
  replica_id uuid NOT NULL,
  digest text COLLATE "C" NOT NULL,
  name text NOT NULL,
  beat_at timestamptz NOT NULL,
  problem text NOT NULL,
  PRIMARY KEY (replica_id, digest)
);
CREATE INDEX replica_time ON replica (beat_at);

-- Revisions that are not retired, without what is their tenants' own.
CREATE TABLE segmenter_use (
  tenant_id uuid NOT NULL,
  segmentation_number integer NOT NULL,
  revision bigint NOT NULL,
  state smallint NOT NULL,
  digest text COLLATE "C" NOT NULL,
  PRIMARY KEY (tenant_id, segmentation_number, revision)
);
CREATE INDEX segmenter_use_digest ON segmenter_use (digest);

CREATE TABLE segmentation_revision (
  tenant_id uuid NOT NULL,
  segmentation integer NOT NULL,
  revision bigint NOT NULL,
  state smallint NOT NULL,
  segmenter_id text NOT NULL,
  segmenter_version text NOT NULL,
  digest text NOT NULL,
  config text NOT NULL,
  created_at bigint NOT NULL,
  created_by text NOT NULL,
  note text NOT NULL,
  shadow bytea NOT NULL,
  fit bytea NOT NULL,
  PRIMARY KEY (tenant_id, segmentation, revision)
);

-- What segmenters have learned from the accounts of a tenant. Written once.
CREATE TABLE segmenter_state (
  tenant_id uuid NOT NULL,
  digest text COLLATE "C" NOT NULL,
  chunk integer NOT NULL,
  learned bytea NOT NULL,
  PRIMARY KEY (tenant_id, digest, chunk)
);
ALTER TABLE segmenter_state ALTER COLUMN learned SET STORAGE EXTERNAL;

ALTER TABLE segmentation ADD COLUMN revision bigint NOT NULL DEFAULT 1;
ALTER TABLE segmentation ADD COLUMN fit bytea NOT NULL DEFAULT '';
ALTER TABLE segmentation NO FORCE ROW LEVEL SECURITY;
INSERT INTO segmentation_revision (tenant_id, segmentation, revision, state, segmenter_id, segmenter_version, digest, config, created_at, created_by, note, shadow, fit)
SELECT tenant_id, number, 1, 2, segmenter_id, '', plugin_digest, config, created_at, '', '', '', '' FROM segmentation;
INSERT INTO segmenter_use (tenant_id, segmentation_number, revision, state, digest)
SELECT tenant_id, number, 1, 2, plugin_digest FROM segmentation;
ALTER TABLE segmentation FORCE ROW LEVEL SECURITY;

-- By which version of each segmentation all accounts of the slice are judged: its number (2 bytes) and the version (4 bytes), big-endian.
ALTER TABLE cursor ADD COLUMN judged bytea NOT NULL DEFAULT '';

SELECT isolate('segmentation_revision'::regclass);
SELECT isolate('segmenter_state'::regclass);

GRANT SELECT, INSERT ON segmenter_code, segmenter_event, segmenter_state TO sextant_app;
GRANT SELECT, INSERT, UPDATE ON segmenter, segmentation, segmentation_revision TO sextant_app;
GRANT SELECT, INSERT, DELETE ON replica, segmenter_use TO sextant_app;
