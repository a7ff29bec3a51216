UPDATE revision SET shadow = ?4 WHERE tenant_id = ?1 AND segmentation = ?2 AND revision = ?3 AND state = 1;
