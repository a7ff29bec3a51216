INSERT INTO segmenter_event (number, at, tenant_id, segmenter_id, segmentation_key, revision, event)
VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM segmenter_event), $1, $2, $3, $4, $5, $6)
