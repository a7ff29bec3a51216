-- The role that every service takes on. It owns nothing, so forced row-level security applies to it.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'sextant_app') THEN
    CREATE ROLE sextant_app NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- roles belong to the whole server: a migrator in another database was faster
END
$$;

-- Since PostgreSQL 16 who makes a role is its member, and yet may not take it on.
DO $$
DECLARE
  may CONSTANT text := CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
  IF NOT pg_has_role(current_user, 'sextant_app', may) THEN
    EXECUTE format('GRANT sextant_app TO %I', current_user);
  END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS {schema};
GRANT USAGE ON SCHEMA {schema} TO sextant_app;
SET search_path = {schema};

CREATE TABLE IF NOT EXISTS migration (
  version integer NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (version)
);
GRANT SELECT ON migration TO sextant_app;

-- Puts a table behind the wall: only rows of the tenant that the transaction has named are seen or written.
CREATE OR REPLACE FUNCTION isolate(tenant_table regclass) RETURNS void LANGUAGE plpgsql SET search_path = {schema}, pg_temp AS $$
DECLARE
  wall CONSTANT text := 'tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid';
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', tenant_table);
  EXECUTE format('CREATE POLICY tenant_isolation ON %s USING (%s) WITH CHECK (%s)', tenant_table, wall, wall);
END
$$;
REVOKE ALL ON FUNCTION isolate(regclass) FROM PUBLIC;
