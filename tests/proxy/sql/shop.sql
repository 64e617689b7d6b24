-- The database the judge is tested on: ordinary tables, and everything that makes a statement do more than it says.
CREATE SCHEMA crm;
CREATE SCHEMA hidden;

CREATE TABLE public.customers (
    id integer PRIMARY KEY, name text, email text, country text, active boolean DEFAULT true, age integer,
    created_at timestamptz DEFAULT now(), data jsonb DEFAULT '{}', tags text[] DEFAULT '{}'
);
CREATE TABLE public.orders (
    id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES public.customers ON DELETE CASCADE,
    status text, total numeric, created_at timestamptz DEFAULT now()
);
CREATE TABLE public.order_items (
    order_id integer NOT NULL REFERENCES public.orders ON DELETE CASCADE, line integer, product text, qty integer,
    PRIMARY KEY (order_id, line)
);
CREATE TABLE public.notes (id integer PRIMARY KEY, customer_id integer REFERENCES public.customers ON DELETE SET NULL, body text);
CREATE TABLE public.stock (id integer PRIMARY KEY, qty integer, sku text UNIQUE);
CREATE TABLE public.staging (id integer, qty integer);
CREATE TABLE public.audit (at timestamptz DEFAULT now(), what text);
CREATE TABLE public.counters (name text PRIMARY KEY, n integer);
CREATE TABLE crm.leads (id integer PRIMARY KEY, email text);
CREATE TABLE crm.customers (id integer PRIMARY KEY, secret text);

CREATE TABLE public.events (id integer, at date, kind text) PARTITION BY RANGE (at);
CREATE TABLE public.events_2024 PARTITION OF public.events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE public.events_2025 PARTITION OF public.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE public.animals (id integer, name text);
CREATE TABLE public.dogs (breed text) INHERITS (public.animals);

-- Functions
CREATE FUNCTION public.harmless(integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE FUNCTION public.registered_fn(integer) RETURNS integer LANGUAGE sql STABLE AS 'SELECT $1 + 1';
CREATE FUNCTION public.wipe() RETURNS integer LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.audit(what) VALUES ('wiped'); RETURN 1; END $$;
CREATE FUNCTION public.evil(public.customers) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.audit(what) VALUES ('evil'); RETURN 'x'; END $$;
CREATE FUNCTION public.evil_any(anyelement) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.audit(what) VALUES ('evil'); RETURN 'x'; END $$;
CREATE FUNCTION public.email(public.notes) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.audit(what) VALUES ('evil'); RETURN 'x'; END $$;
CREATE FUNCTION public.upper(integer) RETURNS text LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.audit(what) VALUES ('captured'); RETURN 'x'; END $$;
CREATE FUNCTION public.many() RETURNS SETOF public.customers LANGUAGE sql STABLE AS 'SELECT * FROM public.customers';
CREATE FUNCTION public.step(integer, integer) RETURNS integer LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.audit(what) VALUES ('step'); RETURN 1; END $$;
CREATE AGGREGATE public.evil_sum(integer) (SFUNC = public.step, STYPE = integer, INITCOND = '0');
CREATE PROCEDURE public.purge() LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.audit; END $$;
CREATE FUNCTION public.same(text, text) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.audit(what) VALUES ('operator'); RETURN true; END $$;
CREATE OPERATOR public.=== (FUNCTION = public.same, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR hidden.+ (FUNCTION = public.same, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION public.checks(text) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO public.audit(what) VALUES ('domain'); RETURN true; END $$;
CREATE DOMAIN public.checked AS text CHECK (public.checks(VALUE));
CREATE DOMAIN public.positive AS integer CHECK (VALUE > 0);
CREATE TYPE public.mood AS ENUM ('good', 'bad');
CREATE TYPE public.with_checked AS (a public.checked);
CREATE TYPE public.pair AS (a integer, b text);

-- Views
CREATE VIEW public.v_customers AS SELECT id, email AS mail, upper(name) AS name FROM public.customers WHERE active;
CREATE VIEW public.v_nested AS SELECT v.id, v.mail, o.total FROM public.v_customers v JOIN public.orders o ON o.customer_id = v.id;
CREATE VIEW public.v_wipe AS SELECT public.wipe() AS done;
CREATE VIEW public.v_wipe_nested AS SELECT * FROM public.v_wipe;
CREATE VIEW public.v_file AS SELECT pg_read_file('postgresql.conf') AS content;
CREATE SEQUENCE public.ids;
CREATE VIEW public.v_next AS SELECT nextval('public.ids') AS one;
CREATE VIEW public.v_secrets AS SELECT rolname, rolpassword FROM pg_authid;
CREATE VIEW public.v_settings AS SELECT name, setting FROM pg_settings;
CREATE VIEW public.v_activity AS SELECT pid, query FROM pg_stat_activity;
CREATE VIEW public.v_ruled AS SELECT id, qty FROM public.stock;
CREATE MATERIALIZED VIEW public.m_totals AS SELECT customer_id, sum(total) AS total FROM public.orders GROUP BY 1;
CREATE VIEW public.v_instead AS SELECT id, qty FROM public.stock;

-- Rules
CREATE TABLE public.ruled (id integer PRIMARY KEY, x integer);
CREATE RULE empties AS ON INSERT TO public.ruled DO ALSO DELETE FROM public.counters;
CREATE RULE logs AS ON UPDATE TO public.ruled DO ALSO INSERT INTO public.audit(what) VALUES ('ruled ' || new.id);
CREATE RULE bounded AS ON DELETE TO public.ruled DO ALSO DELETE FROM public.counters WHERE name = old.x::text;
CREATE RULE redirected AS ON UPDATE TO public.v_ruled DO INSTEAD UPDATE public.staging SET qty = new.qty WHERE id = old.id;

-- Triggers
CREATE FUNCTION public.touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.body := trim(NEW.body); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON public.notes FOR EACH ROW EXECUTE FUNCTION public.touch();
CREATE FUNCTION public.log_stock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO public.audit(what) VALUES ('stock ' || OLD.id);
        RETURN OLD;
    END IF;
    UPDATE public.counters SET n = n + 1 WHERE name = NEW.sku;
    RETURN NEW;
END $$;
CREATE TRIGGER log_stock AFTER UPDATE OR DELETE ON public.stock FOR EACH ROW EXECUTE FUNCTION public.log_stock();
CREATE FUNCTION public.dynamic() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN EXECUTE format('INSERT INTO %I(what) VALUES (%L)', 'audit', 'lead'); RETURN NEW; END $$;
CREATE TRIGGER dynamic AFTER INSERT ON crm.leads FOR EACH ROW EXECUTE FUNCTION public.dynamic();
CREATE FUNCTION public.instead() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.audit(what) VALUES ('instead'); RETURN NEW; END $$;
CREATE TRIGGER instead INSTEAD OF DELETE ON public.v_instead FOR EACH ROW EXECUTE FUNCTION public.instead();

INSERT INTO public.customers(id, name, email, country, age)
    SELECT i, 'name ' || i, 'c' || i || '@example.com', (ARRAY['FR', 'DE', 'US'])[1 + i % 3], 20 + i FROM generate_series(1, 12) i;
INSERT INTO public.orders(id, customer_id, status, total) SELECT i, 1 + i % 12, 'open', i * 10 FROM generate_series(1, 30) i;
INSERT INTO public.order_items SELECT o, l, 'p' || l, l FROM generate_series(1, 30) o, generate_series(1, 3) l;
INSERT INTO public.notes SELECT i, i, 'note ' || i FROM generate_series(1, 12) i;
INSERT INTO public.stock SELECT i, i * 2, 'sku' || i FROM generate_series(1, 10) i;
INSERT INTO public.staging SELECT i, i FROM generate_series(1, 5) i;
INSERT INTO public.counters VALUES ('sku1', 0), ('sku2', 0), ('7', 0);
INSERT INTO public.events VALUES (1, '2024-05-05', 'a'), (2, '2025-05-05', 'b');
INSERT INTO public.dogs VALUES (1, 'rex', 'collie');
INSERT INTO public.ruled VALUES (1, 7), (2, 8);
INSERT INTO public.counters VALUES ('sku1', 0), ('sku2', 0), ('7', 0);
INSERT INTO crm.customers VALUES (1, 's');
REFRESH MATERIALIZED VIEW public.m_totals;
ANALYZE;

GRANT USAGE ON SCHEMA public, crm, hidden TO app;
GRANT ALL ON ALL TABLES IN SCHEMA public, crm TO app;
GRANT CREATE ON SCHEMA public TO app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO app;
