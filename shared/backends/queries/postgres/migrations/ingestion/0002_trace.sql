-- The span of the call that brought an entry: W3C trace id (16 bytes) and span id (8 bytes). Null, as for all older entries: not
-- traced.
ALTER TABLE feed ADD COLUMN trace bytea;
