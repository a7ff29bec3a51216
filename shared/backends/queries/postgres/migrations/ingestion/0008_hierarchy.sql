-- Accounts that belong to others are places, too: the feeds are followed from the beginning once more, which changes nothing else. Under
-- another name, so that a process of the version before, which does not know of these places, follows no further.
ALTER TABLE place_cursor RENAME TO place_followed;
DELETE FROM place_followed;
