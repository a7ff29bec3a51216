-- Accounts that are known and for which records may still wait, because one transaction did not take all of them. `historical`:
-- imported history has made it known.
CREATE TABLE releasing (
  tenant_id uuid NOT NULL,
  external_id text COLLATE "C" NOT NULL,
  historical boolean NOT NULL,
  PRIMARY KEY (tenant_id, external_id)
);
SELECT isolate('releasing');
GRANT SELECT, INSERT, DELETE ON releasing TO sextant_app;

-- What waits for an account is taken in parts, oldest first.
CREATE INDEX held_account_ordinal ON held (tenant_id, external_id, ordinal);
DROP INDEX held_account;
