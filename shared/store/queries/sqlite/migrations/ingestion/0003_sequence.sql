-- The feed entry that announced a fact: it orders what became known at one instant. 0: stored before this was noted.
ALTER TABLE fact ADD COLUMN sequence INTEGER NOT NULL DEFAULT 0;
