INSERT INTO segmenter_event (number, at, tenant_id, segmenter_id, segmentation, revision, event)
VALUES ((SELECT COALESCE(MAX(number), 0) + 1 FROM segmenter_event), $1, $2, $3, $4, $5, $6)
