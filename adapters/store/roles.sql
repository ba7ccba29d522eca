-- Roles of a production database (run once as a superuser, after the schema
-- is there; `psql -v ON_ERROR_STOP=1 -f roles.sql DATABASE`).
--
--   chancery_owner    owns the tables, cannot log in: `SET ROLE` to it for upgrades
--   chancery_core     the gateway: state may change, the log and all that is
--                     append-only only grows
--   chancery_auditor  reads the log, nothing else
--
-- The schema's triggers refuse the same once more. What remains: a superuser,
-- and who may become the owner. Their changes show against signed checkpoints.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['chancery_owner', 'chancery_core', 'chancery_auditor'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I %s', name, CASE name WHEN 'chancery_owner' THEN 'NOLOGIN' ELSE 'LOGIN' END);
        END IF;
    END LOOP;

    FOR name IN
        SELECT tablename FROM pg_tables WHERE schemaname = 'public'
    LOOP
        EXECUTE format('ALTER TABLE public.%I OWNER TO chancery_owner', name);
    END LOOP;
END $$;
ALTER FUNCTION public.chancery_audit_next() OWNER TO chancery_owner;
ALTER FUNCTION public.chancery_never() OWNER TO chancery_owner;
ALTER FUNCTION public.chancery_wrapping_open() OWNER TO chancery_owner;
ALTER FUNCTION public.chancery_kek_empty() OWNER TO chancery_owner;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO chancery_owner;
GRANT USAGE ON SCHEMA public TO chancery_core, chancery_auditor;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO chancery_core;
GRANT INSERT ON node, message, delivery, body, segment, wrapping, kek_closed, review_case, vote, lookup, idempotency, nonce, document,
    audit_leaf, audit_checkpoint TO chancery_core;
GRANT UPDATE ON node, epoch, message, delivery, body, review_case TO chancery_core;
GRANT DELETE ON body, segment, wrapping, idempotency TO chancery_core;

GRANT SELECT ON audit_leaf, audit_checkpoint TO chancery_auditor;
