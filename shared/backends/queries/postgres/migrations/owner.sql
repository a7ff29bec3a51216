CREATE ROLE sextant_app NOLOGIN;
GRANT sextant_app TO {user};
GRANT CREATE ON DATABASE {database} TO {user};
