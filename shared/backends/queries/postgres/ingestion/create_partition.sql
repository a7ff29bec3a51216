SELECT create_partition($1, $2)
