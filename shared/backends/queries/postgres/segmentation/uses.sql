SELECT tenant_id, segmentation_number, revision, state, digest FROM segmenter_use ORDER BY tenant_id, segmentation_number, revision
