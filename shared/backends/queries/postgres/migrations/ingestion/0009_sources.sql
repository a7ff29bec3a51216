-- How far each source has come, and how many records came in each hour.
ALTER TABLE source_count ADD COLUMN watermark bigint;

CREATE TABLE source_hour (
  tenant_id uuid NOT NULL,
  source text COLLATE "C" NOT NULL,
  hour integer NOT NULL,
  records bigint NOT NULL,
  PRIMARY KEY (tenant_id, source, hour)
) WITH (fillfactor = 50);

SELECT isolate('source_hour'::regclass);

GRANT SELECT, INSERT, UPDATE, DELETE ON source_hour TO sextant_app;
