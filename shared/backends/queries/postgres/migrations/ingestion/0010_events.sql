-- Where the events of an account are, for its timeline. A row lies with those of its week (weeks since 1970-01-01), so an insert costs the
-- same however long the history is.
CREATE TABLE account_event (
  tenant_id uuid NOT NULL,
  week integer NOT NULL,
  account_uid uuid NOT NULL,
  occurred_at bigint NOT NULL,
  batch_id uuid NOT NULL,
  ordinal integer NOT NULL,
  known_at bigint NOT NULL,
  PRIMARY KEY (tenant_id, week, account_uid, occurred_at, batch_id, ordinal)
);

SELECT isolate('account_event'::regclass);

GRANT SELECT, INSERT ON account_event TO sextant_app;

-- How many events of each type are stored, and from when to when they happened. All types beyond the first 10,000 are the type ''.
CREATE TABLE event_type (
  tenant_id uuid NOT NULL,
  type text COLLATE "C" NOT NULL,
  events bigint NOT NULL,
  first_at bigint NOT NULL,
  last_at bigint NOT NULL,
  PRIMARY KEY (tenant_id, type)
) WITH (fillfactor = 50);

SELECT isolate('event_type'::regclass);

GRANT SELECT, INSERT, UPDATE ON event_type TO sextant_app;

-- The feeds are followed from the beginning once more. Under another name, so that a process of the version before, which does not know
-- of these tables, follows no further.
ALTER TABLE place_followed RENAME TO feed_followed;
DELETE FROM feed_followed;
