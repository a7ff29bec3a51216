INSERT INTO segmenter_event (number, at, tenant_id, segmenter_id, segmentation_key, revision, event)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7);
