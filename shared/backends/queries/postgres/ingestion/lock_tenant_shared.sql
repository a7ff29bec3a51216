-- Until the end of a transaction that stores facts, the open import stays open and a clock that stands still where it is: who
-- completes the one or moves the other waits. Locks of this kind queue, where FOR SHARE would pass a change that waits.
SELECT pg_advisory_xact_lock_shared($1)
