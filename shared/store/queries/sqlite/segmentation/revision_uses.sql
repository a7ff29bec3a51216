SELECT tenant_id, segmentation, revision, state, digest FROM revision WHERE state <> 4 ORDER BY tenant_id, segmentation, revision;
