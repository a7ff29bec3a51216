-- Until the end of a transaction that stores facts, the open import stays open and a clock that stands still where it is: who
-- completes the one or moves the other waits.
SELECT import_opened_at IS NOT NULL, fixed_clock FROM tenant WHERE tenant_id = $1 FOR SHARE
