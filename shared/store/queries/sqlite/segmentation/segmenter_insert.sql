INSERT INTO segmenter (digest, segmenter_id, version, platform, state, published_at, segmenter)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);
