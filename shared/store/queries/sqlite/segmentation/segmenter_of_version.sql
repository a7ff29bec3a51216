SELECT digest FROM segmenter WHERE segmenter_id = ?1 AND version = ?2 AND platform = ?3;
