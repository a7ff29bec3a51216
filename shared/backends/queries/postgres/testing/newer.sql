INSERT INTO {schema}.migration (version, name) VALUES (99, 'of tomorrow')
