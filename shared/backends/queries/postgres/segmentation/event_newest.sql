SELECT COALESCE(MAX(number), 0) FROM segmenter_event
