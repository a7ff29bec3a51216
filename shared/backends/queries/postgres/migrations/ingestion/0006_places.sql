-- How far the feed of a slice has been followed for the places below. A system table: read across tenants.
CREATE TABLE place_cursor (
  tenant_id uuid NOT NULL,
  slice integer NOT NULL,
  sequence bigint NOT NULL,
  PRIMARY KEY (tenant_id, slice)
);

-- Where users, and what other systems know, belong: the first and the last time on a day (days since 1970 in UTC) that a key was
-- said to be in an account, or to have left it. So a user costs no more rows than they have days.
CREATE TABLE place (
  tenant_id uuid NOT NULL,
  key text COLLATE "C" NOT NULL,
  day integer NOT NULL,
  external_id text COLLATE "C" NOT NULL,
  is_left boolean NOT NULL,
  first_at bigint NOT NULL,
  last_at bigint NOT NULL,
  PRIMARY KEY (tenant_id, key, day, external_id, is_left)
);

SELECT isolate('place');
GRANT SELECT, INSERT, UPDATE ON place, place_cursor TO sextant_app;
