INSERT INTO segmenter_use (tenant_id, segmentation_number, revision, state, digest)
SELECT tenant_id, segmentation, revision, state, digest FROM segmentation_revision WHERE tenant_id = $1 AND segmentation = $2 AND state <> 4
