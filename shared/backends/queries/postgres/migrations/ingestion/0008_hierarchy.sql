-- Accounts that belong to others are places, too: the feeds are followed from the beginning once more, which changes nothing else.
DELETE FROM place_cursor;
