-- Where the events of an account are, for its timeline. A row lies with those of its week (weeks since 1970-01-01), so an insert costs the
-- same however long the history is. The feeds are followed from the beginning once more, which changes nothing else. Under another name, so
-- that a process of the version before, which does not know of them, follows no further.
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

ALTER TABLE place_followed RENAME TO feed_followed;
DELETE FROM feed_followed;
