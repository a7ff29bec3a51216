DELETE FROM segmenter_use WHERE tenant_id = $1 AND segmentation_number = $2
