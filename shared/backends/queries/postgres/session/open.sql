-- Once per connection. Names without a schema are those of the service; rights are those of the application role, which owns
-- nothing and cannot bypass row-level security.
SET search_path = {schema};
SET ROLE sextant_app;
SET statement_timeout = '{statement_timeout_ms}ms';
SET lock_timeout = '{lock_timeout_ms}ms';
SET idle_in_transaction_session_timeout = '{idle_timeout_ms}ms';
SET default_transaction_isolation = 'read committed';
