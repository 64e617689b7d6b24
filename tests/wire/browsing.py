"""What database browsers ask when they connect and open a tree, under a read grant.

The forms are our own, reduced to what decides a verdict: the relations, columns, functions, settings and constructs that
the tools' published sources and logs show. One statement a paragraph; `REFUSED` names those that must not pass, and why.
"""

from __future__ import annotations

PGJDBC = """
SET extra_float_digits = 3

SET application_name = 'PostgreSQL JDBC Driver'

SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED

SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY

SHOW TRANSACTION ISOLATION LEVEL

SELECT current_database(), current_schema(), version()

SELECT setting FROM pg_catalog.pg_settings WHERE name = 'max_index_keys'

SELECT t.typlen FROM pg_catalog.pg_type t, pg_catalog.pg_namespace n WHERE t.typnamespace = n.oid
 AND t.typname = 'name' AND n.nspname = 'pg_catalog'

SELECT nspname AS "TABLE_SCHEM", current_database() AS "TABLE_CATALOG" FROM pg_catalog.pg_namespace
 WHERE nspname !~ '^pg_toast_temp_' OR nspname = replace((pg_catalog.current_schemas(true))[1], 'pg_temp_', 'pg_toast_temp_')
 ORDER BY 1

SELECT n.nspname, c.relname, CASE n.nspname ~ '^pg_' WHEN true THEN 'SYSTEM' ELSE CASE c.relkind WHEN 'r' THEN 'TABLE'
 WHEN 'v' THEN 'VIEW' END END AS kind, d.description
 FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c
 LEFT JOIN pg_catalog.pg_description d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
 WHERE c.relnamespace = n.oid AND c.relname LIKE '%' AND has_table_privilege(c.oid, 'SELECT, INSERT') ORDER BY 3, 1, 2

SELECT * FROM (SELECT n.nspname, c.relname, a.attname, a.atttypid, a.attnotnull OR (t.typtype = 'd' AND t.typnotnull) AS nn,
 a.atttypmod, row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum) AS attnum, nullif(a.attidentity, '') AS ident,
 pg_catalog.pg_get_expr(def.adbin, def.adrelid) AS adsrc, dsc.description, t.typbasetype
 FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid JOIN pg_catalog.pg_type t ON a.atttypid = t.oid
 LEFT JOIN pg_catalog.pg_attrdef def ON a.attrelid = def.adrelid AND a.attnum = def.adnum
 LEFT JOIN pg_catalog.pg_description dsc ON c.oid = dsc.objoid AND a.attnum = dsc.objsubid
 WHERE c.relkind IN ('r', 'p', 'v', 'f', 'm') AND a.attnum > 0 AND NOT a.attisdropped) c WHERE nspname LIKE 'public'

SELECT result.name, result.seq FROM (SELECT ct.relname AS name, (i.keys).x AS attribute, (i.keys).n AS seq
 FROM pg_catalog.pg_class ct JOIN (SELECT indexrelid, indrelid, information_schema._pg_expandarray(indkey) AS keys
 FROM pg_catalog.pg_index WHERE indisprimary) i ON ct.oid = i.indrelid) result ORDER BY 1, 2

SELECT tmp.name, trim(both '"' from pg_catalog.pg_get_indexdef(tmp.oid, tmp.pos, false)) AS "COLUMN_NAME",
 CASE tmp.am WHEN 'btree' THEN CASE tmp.option & 1::smallint WHEN 1 THEN 'D' ELSE 'A' END END AS "ASC_OR_DESC"
 FROM (SELECT ci.relname AS name, ci.oid, am.amname AS am, (information_schema._pg_expandarray(i.indkey)).n AS pos,
 i.indoption[(information_schema._pg_expandarray(i.indkey)).n - 1] AS option
 FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class ci ON ci.oid = i.indexrelid JOIN pg_catalog.pg_am am ON ci.relam = am.oid) tmp

SELECT con.conname, pkn.nspname, pkc.relname, pka.attname, fka.attname AS fk, pos.n, con.confdeltype
 FROM pg_catalog.pg_namespace pkn, pg_catalog.pg_class pkc, pg_catalog.pg_attribute pka, pg_catalog.pg_attribute fka,
 pg_catalog.pg_constraint con, pg_catalog.generate_series(1, 32) pos(n)
 WHERE pkn.oid = pkc.relnamespace AND pkc.oid = con.confrelid AND pka.attrelid = pkc.oid AND pka.attnum = con.confkey[pos.n]
 AND fka.attrelid = con.conrelid AND fka.attnum = con.conkey[pos.n] AND con.contype = 'f' ORDER BY con.conname, pos.n

SELECT n.nspname, p.proname, p.prorettype, t.typtype, t.typrelid, p.proargnames, p.proargmodes, p.proallargtypes, p.oid
 FROM pg_catalog.pg_proc p, pg_catalog.pg_namespace n, pg_catalog.pg_type t
 WHERE p.pronamespace = n.oid AND p.prorettype = t.oid AND pg_function_is_visible(p.oid)

SELECT n.nspname, c.relname, r.rolname, c.relacl, a.attacl FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c,
 pg_catalog.pg_roles r, pg_catalog.pg_attribute a WHERE c.relnamespace = n.oid AND c.relowner = r.oid AND c.oid = a.attrelid

SELECT t.typname, t.oid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid
 WHERE n.nspname <> 'pg_toast' AND (t.typrelid = 0 OR
 (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid))

SELECT typinput = 'pg_catalog.array_in'::regproc AS is_array, typtype, typname, pg_type.oid FROM pg_catalog.pg_type
 LEFT JOIN (SELECT ns.oid AS nspoid, ns.nspname, r.r FROM pg_namespace AS ns JOIN (SELECT s.r,
 (current_schemas(false))[s.r] AS nspname FROM generate_series(1, array_upper(current_schemas(false), 1)) AS s(r)) AS r
 USING (nspname)) AS sp ON sp.nspoid = typnamespace WHERE pg_type.oid = 1034 ORDER BY sp.r, pg_type.oid DESC

SELECT e.oid, n.nspname = ANY(current_schemas(true)), n.nspname, e.typname, e.typdelim FROM pg_catalog.pg_type t
 JOIN pg_catalog.pg_type e ON t.typelem = e.oid JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = 1034

SELECT c.oid, a.attnum, a.attname, c.relname, n.nspname, a.attnotnull, a.attidentity <> '' AS auto
 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
 JOIN pg_catalog.pg_attribute a ON c.oid = a.attrelid JOIN (SELECT 1259 AS oid, 1 AS attnum UNION ALL SELECT 1259, 2) vals
 ON c.oid = vals.oid AND a.attnum = vals.attnum

SELECT name, default_version, installed_version FROM pg_catalog.pg_available_extensions

SELECT string_agg(word, ',') FROM pg_catalog.pg_get_keywords() WHERE word <> ALL ('{a,abs,absolute}'::text[])
"""

DBEAVER = """
SET application_name = 'DBeaver 25.1.5 - Main <postgres>'

SELECT current_schema(), session_user

SHOW search_path

SET search_path = public, "$user"

SET SESSION statement_timeout = 0

SELECT db.oid, db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate ORDER BY db.datname

SELECT * FROM pg_catalog.pg_settings WHERE name = 'standard_conforming_strings'

SELECT n.oid, n.*, d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d
 ON d.objoid = n.oid AND d.objsubid = 0 AND d.classoid = 'pg_namespace'::regclass ORDER BY nspname

SELECT * FROM pg_catalog.pg_enum WHERE 1<>1 LIMIT 1

SELECT reltype FROM pg_catalog.pg_class WHERE 1<>1 LIMIT 1

SELECT t.oid, t.*, c.relkind, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base_type_name, d.description
 FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid = t.typelem
 LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid = t.typrelid LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid = d.objoid
 WHERE (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')

SELECT c.oid, c.*, d.description, pg_catalog.pg_get_expr(c.relpartbound, c.oid) AS partition_expr,
 pg_catalog.pg_get_partkeydef(c.oid) AS partition_key FROM pg_catalog.pg_class c
 LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
 WHERE c.relkind NOT IN ('i', 'I', 'c')

SELECT c.relname, a.*, pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) AS def_value, dsc.description, dep.objid
 FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON a.attrelid = c.oid
 LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON a.attrelid = ad.adrelid AND a.attnum = ad.adnum
 LEFT OUTER JOIN pg_catalog.pg_description dsc ON c.oid = dsc.objoid AND a.attnum = dsc.objsubid
 LEFT OUTER JOIN pg_depend dep ON dep.refobjid = a.attrelid AND dep.deptype = 'i' AND dep.refobjsubid = a.attnum
 WHERE NOT a.attisdropped AND c.relkind NOT IN ('i', 'I', 'c') ORDER BY a.attnum

SELECT c.oid, c.*, t.relname AS tabrelname, rt.relnamespace AS refnamespace, d.description,
 pg_catalog.pg_get_constraintdef(c.oid) AS definition FROM pg_catalog.pg_constraint c
 INNER JOIN pg_catalog.pg_class t ON t.oid = c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid = c.confrelid
 LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = c.oid ORDER BY c.oid

SELECT i.*, i.indkey AS keys, c.relname, c.relam, tc.relname AS tabrelname, dsc.description,
 pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) AS expr, pg_catalog.pg_get_indexdef(i.indexrelid, 1, true) AS def,
 pg_catalog.pg_relation_size(i.indexrelid) AS index_rel_size, pg_catalog.pg_stat_get_numscans(i.indexrelid) AS scans
 FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
 INNER JOIN pg_catalog.pg_class tc ON tc.oid = i.indrelid
 LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid = dsc.objoid

SELECT p.oid, p.*, d.description, pg_catalog.pg_get_functiondef(CASE WHEN p.prokind = 'f' THEN p.oid END)
 FROM pg_catalog.pg_proc p LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = p.oid WHERE p.proname = 'lower'

SELECT c.relname, pg_catalog.pg_table_size(c.oid) AS size, pg_catalog.pg_total_relation_size(c.oid) AS total,
 pg_catalog.pg_relation_size(c.oid) AS rel FROM pg_class c WHERE relkind = 'r'

SELECT x.oid, x.*, p.pronamespace AS func_schema_id, d.description FROM pg_catalog.pg_trigger x
 LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid = x.tgfoid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid = x.oid
 WHERE NOT x.tgisinternal AND pg_catalog.pg_get_triggerdef(x.oid) IS NOT NULL

SELECT r.oid, r.*, pg_catalog.pg_get_ruledef(r.oid) AS definition FROM pg_catalog.pg_rewrite r WHERE r.rulename <> '_RETURN'

SELECT pg_catalog.pg_get_viewdef(c.oid, true) AS definition FROM pg_catalog.pg_class c WHERE c.relkind = 'v' LIMIT 3

SELECT pp.polname, pp.polcmd, pg_catalog.pg_get_expr(pp.polqual, pp.polrelid) AS using_expr FROM pg_catalog.pg_policy pp

SELECT a.oid, a.*, pg_catalog.shobj_description(a.oid, 'pg_authid') FROM pg_catalog.pg_roles a ORDER BY a.rolname

SELECT rolname FROM pg_catalog.pg_roles r JOIN pg_catalog.pg_auth_members m ON m.roleid = r.oid

SELECT t.oid, t.*, pg_tablespace_location(t.oid) AS loc FROM pg_catalog.pg_tablespace t

SELECT e.oid, e.extname, n.nspname, e.extversion FROM pg_catalog.pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace

SELECT l.oid, l.* FROM pg_catalog.pg_language l

SELECT c.oid, c.* FROM pg_catalog.pg_collation c ORDER BY c.oid

SELECT am.oid, am.* FROM pg_catalog.pg_am am

SELECT f.oid, f.* FROM pg_catalog.pg_foreign_data_wrapper f

SELECT et.oid, et.*, d.description FROM pg_catalog.pg_event_trigger et LEFT JOIN pg_description d ON d.objoid = et.oid

SELECT DISTINCT dep.deptype, dep.classid, dep.objid, cl.relkind, rw.ev_class::regclass, pg_describe_object(dep.classid, dep.objid, 0)
 FROM pg_depend dep LEFT JOIN pg_class cl ON dep.objid = cl.oid LEFT JOIN pg_rewrite rw ON dep.objid = rw.oid LIMIT 5

SELECT i.*, c.relnamespace, pg_get_expr(c.relpartbound, c.oid) FROM pg_catalog.pg_inherits i, pg_catalog.pg_class c
 WHERE c.oid = i.inhrelid ORDER BY i.inhseqno

SELECT c.oid, s.seqstart, s.seqincrement, pg_catalog.pg_sequence_last_value(c.oid) FROM pg_catalog.pg_class c
 JOIN pg_catalog.pg_sequence s ON s.seqrelid = c.oid

SELECT pg_catalog.pg_encoding_to_char(encoding), datcollate, pg_catalog.pg_database_size(datname)
 FROM pg_catalog.pg_database WHERE datname = current_database()

SELECT locktype, relation::regclass, mode, granted, pid, pg_blocking_pids(pid) FROM pg_catalog.pg_locks

SELECT pid, usename, application_name, client_addr, backend_start, state, wait_event FROM pg_catalog.pg_stat_activity

SELECT grantor, grantee, table_schema, table_name, privilege_type FROM information_schema.table_privileges

SELECT x.* FROM public.orders x LIMIT 200 OFFSET 0
"""

DATAGRIP = """
SET application_name = 'DataGrip 2025.2.3'

select current_database() as a, current_schemas(false) as b

select current_database(), current_schema(), current_user

select round(extract(epoch from pg_postmaster_start_time() at time zone 'UTC')) as startup_time

select L.transactionid::varchar::bigint as transaction_id from pg_catalog.pg_locks L
 where L.transactionid is not null order by pg_catalog.age(L.transactionid) desc limit 1

select case when pg_catalog.pg_is_in_recovery() then null
 else (pg_catalog.txid_current() % 4294967296)::varchar::bigint end as current_txid

select N.oid::bigint as id, N.datname as name, D.description, pg_catalog.pg_get_userbyid(N.datdba) as "owner"
 from pg_catalog.pg_database N left join pg_catalog.pg_shdescription D on N.oid = D.objoid
 order by case when datname = pg_catalog.current_database() then -1::bigint else N.oid::bigint end

select N.oid::bigint as id, N.xmin as state_number, nspname as name, D.description
 from pg_catalog.pg_namespace N left join pg_catalog.pg_description D on N.oid = D.objoid
 where pg_catalog.age(N.xmin) <= coalesce(nullif(greatest(pg_catalog.age('3'::varchar::xid), -1), -1), 2147483647)

show DateStyle

select name, is_dst from pg_catalog.pg_timezone_names union distinct select abbrev, is_dst from pg_catalog.pg_timezone_abbrevs

select R.oid::bigint as role_id, rolname, rolsuper is_super, rolvaliduntil valid_until, rolbypassrls, rolconfig config
 from pg_catalog.pg_roles R left join pg_catalog.pg_shdescription D on D.objoid = R.oid

select member id, roleid role_id, admin_option from pg_catalog.pg_auth_members order by id, roleid::text

select T.oid as object_id, T.spcacl as acl from pg_catalog.pg_tablespace T
 union all select T.oid, T.datacl from pg_catalog.pg_database T

select T.oid::bigint as id, T.spcname, T.xmin, pg_catalog.pg_tablespace_location(T.oid) as location, T.spcoptions as options
 from pg_catalog.pg_tablespace T

select ssl from pg_stat_ssl where pid = pg_backend_pid()

with languages as (select oid as lang_oid, lanname as lang from pg_catalog.pg_language),
 routines as (select proname, prolang as lang_oid, oid as r_id, xmin as r_state_number, proargnames as arg_names,
 proargmodes as arg_modes, proargtypes::int[] as in_arg_types, proallargtypes::int[] as all_arg_types,
 pg_catalog.pg_get_expr(proargdefaults, 0) as arg_defaults, provariadic, prorettype, proretset, prokind, procost
 from pg_catalog.pg_proc where not prokind = 'a') select * from routines natural join languages

select T.oid as table_id, T.relkind as table_kind, T.relname as table_name, T.xmin as table_state_number,
 array_to_string(T.reloptions, ',') as options, T.reltablespace, pg_catalog.pg_get_userbyid(T.relowner) as owner,
 (select array_agg(inhparent::bigint order by inhseqno)::varchar from pg_catalog.pg_inherits where T.oid = inhrelid) as ancestors
 from pg_catalog.pg_class T where relkind in ('r', 'm', 'v', 'f', 'p') order by table_kind, table_id

with schema_procs as (select prorettype, proargtypes, proallargtypes from pg_catalog.pg_proc),
 args as (select distinct schema_arg_types.arg_type_id from (select proallargtypes[i] as arg_type_id
 from (select proallargtypes, generate_subscripts(proallargtypes, 1) as i from schema_procs) q) schema_arg_types)
 select type_id, pg_catalog.format_type(type_id, null) from (select arg_type_id as type_id from args
 union distinct select prorettype from schema_procs) t where type_id <> 0

with T as (select distinct T.oid as table_id, T.relname as table_name from pg_catalog.pg_class T, pg_catalog.pg_attribute A
 where A.attrelid = T.oid) select T.table_id, C.attnum as column_position, C.xmin as state, C.atttypmod as type_mod,
 pg_catalog.format_type(C.atttypid, C.atttypmod) as type_spec, C.attnotnull, C.attidentity, C.attgenerated,
 pg_catalog.pg_get_expr(D.adbin, T.table_id) as column_default, not C.attislocal as inherited, C.attoptions, C.attacl
 from T join pg_catalog.pg_attribute C on T.table_id = C.attrelid
 left join pg_catalog.pg_attrdef D on (C.attrelid, C.attnum) = (D.adrelid, D.adnum) where attnum > 0

select ind_head.indexrelid index_id, k col_idx, k <= indnkeyatts in_key, ind_head.indkey[k - 1] column_position,
 ind_head.indoption[k - 1] column_options, ind_head.indcollation[k - 1] as collation, colln.nspname,
 case when opcdefault then null else ind_head.indclass[k - 1] end as opclass, case when ind_head.indexprs is null then null
 when ind_head.indkey[k - 1] = 0 then chr(27) || pg_catalog.pg_get_indexdef(ind_head.indexrelid, k::int, true)
 else pg_catalog.pg_get_indexdef(ind_head.indexrelid, k::int, true) end as expression, amcanorder can_order
 from pg_catalog.pg_index ind_head join pg_catalog.pg_class ind_stor on ind_stor.oid = ind_head.indexrelid
 cross join unnest(ind_head.indkey) with ordinality u(u, k)
 left join pg_catalog.pg_collation coll on coll.oid = ind_head.indcollation[k - 1]
 left join pg_catalog.pg_namespace colln on coll.collnamespace = colln.oid
 cross join pg_catalog.pg_indexam_has_property(ind_stor.relam, 'can_order') amcanorder
 left join pg_catalog.pg_opclass opc on opc.oid = ind_head.indclass[k - 1] order by index_id, k

select C.oid::bigint con_id, C.xmin::varchar::bigint as state, conname, contype, conkey::int[], confkey::int[], confmatchtype,
 pg_catalog.pg_get_expr(conbin, conrelid) as predicate, conexclop::int[], confrelid::regclass::text, connoinherit
 from pg_catalog.pg_constraint C

select T.oid, T.tgname, T.tgtype & 31 as bits, pg_catalog.pg_get_triggerdef(T.oid, true) as source_code, tgattr, tgnargs
 from pg_catalog.pg_trigger T where not T.tgisinternal

select R.ev_class, R.oid, R.xmin, R.rulename, translate(ev_type, '1234', 'SUID') as event, R.is_instead,
 pg_catalog.pg_get_ruledef(R.oid, true) from pg_catalog.pg_rewrite R where R.rulename != '_RETURN'::name

select T.relkind as view_kind, T.oid as view_id, pg_catalog.pg_get_viewdef(T.oid, true) as source_text
 from pg_catalog.pg_class T join pg_catalog.pg_namespace N on N.oid = T.relnamespace where T.relkind in ('m', 'v')

select D.objoid id, case when 'pg_catalog.pg_class'::regclass = classoid then 'r' end as kind, D.objsubid, D.description
 from pg_catalog.pg_description D where 'pg_catalog.pg_class'::regclass = classoid
 union all select oid, 'x', 0, null from pg_catalog.pg_extension

select O.oid as id, oprname, oprkind, oprleft::regtype, oprcode::regproc, oprcom::regoper, oprrest::regproc from pg_catalog.pg_operator O

select distinct F.oid as id, F.opfname, A.amopstrategy, P.amprocnum, P.amproc::oid::regprocedure::varchar from pg_catalog.pg_opfamily F
 left join pg_catalog.pg_amop A on A.amopfamily = F.oid left join pg_catalog.pg_amproc P on P.amprocfamily = F.oid

select A.aggfnoid, aggtransfn::regproc::text, aggfinalfn::regproc, agginitval, aggsortop from pg_catalog.pg_aggregate A

select C.oid, C.castsource::regtype, C.casttarget::regtype, C.castcontext from pg_catalog.pg_cast C

select oid, collname, collencoding, collprovider, collversion from pg_catalog.pg_collation

select oid, conname, conproc::regproc, pg_encoding_to_char(conforencoding) from pg_catalog.pg_conversion

select srv.oid, srv.srvname, fdw.fdwname from pg_catalog.pg_foreign_server srv left join pg_foreign_data_wrapper fdw on fdw.oid = srvfdw

select umid, srvid, umuser, usename from pg_catalog.pg_user_mappings

select oid, evtname, evtevent, evtfoid::regprocedure, evtenabled, evttags from pg_catalog.pg_event_trigger

select sq.seqrelid, sq.seqtypid::regtype, sq.seqmax, sq.seqcache, D.refobjid from pg_catalog.pg_sequence sq
 left join pg_catalog.pg_depend D on sq.seqrelid = D.objid and D.deptype in ('a', 'i')

select polrelid, polname, polpermissive, polroles, pg_catalog.pg_get_expr(polwithcheck, polrelid) from pg_catalog.pg_policy

select t.* from public.customers t limit 501
"""

METABASE = """
SET application_name = 'Metabase v0.55.1'

SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ UNCOMMITTED

show timezone

SET SESSION TIMEZONE TO 'UTC'

SELECT nspname, typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
 WHERE t.oid IN (SELECT DISTINCT enumtypid FROM pg_enum e)

with table_privileges as (select NULL as role, t.schemaname as schema, t.objectname as table,
 pg_catalog.has_any_column_privilege(current_user, format('%I.%I', t.schemaname, t.objectname), 'update') as update,
 pg_catalog.has_table_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"."' || t.objectname || '"', 'delete')
 from (select schemaname, tablename as objectname from pg_catalog.pg_tables union
 select schemaname, viewname from pg_catalog.pg_views union select schemaname, matviewname from pg_catalog.pg_matviews) t
 where t.schemaname !~ '^pg_' and pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage'))
 select t.* from table_privileges t

SELECT n.nspname AS "schema", c.relname AS "name", d.description, stat.n_live_tup AS estimated_row_count
 FROM pg_catalog.pg_class c INNER JOIN pg_catalog.pg_namespace n ON c.relnamespace = n.oid
 LEFT JOIN pg_catalog.pg_description d ON c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass
 LEFT JOIN pg_stat_user_tables stat ON n.nspname = stat.schemaname AND c.relname = stat.relname ORDER BY 1, 2

SELECT c.column_name AS name, CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN format('%s', c.udt_name)
 ELSE format('"%s"."%s"', c.udt_schema, c.udt_name) END AS "database-type", c.ordinal_position - 1 AS position,
 pk.column_name IS NOT NULL AS "pk?",
 col_description(CAST(CAST(format('%I.%I', CAST(c.table_schema AS text), CAST(c.table_name AS text)) AS regclass) AS oid),
 c.ordinal_position) AS comment, (column_default IS NOT NULL AND column_default LIKE '%nextval(%') OR is_identity <> 'NO' AS auto
 FROM information_schema.columns c LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name
 FROM information_schema.table_constraints tc INNER JOIN information_schema.key_column_usage kc
 ON tc.constraint_name = kc.constraint_name AND tc.table_name = kc.table_name WHERE tc.constraint_type = 'PRIMARY KEY') pk
 ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
 WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' UNION ALL SELECT pa.attname, pt.typname, pa.attnum - 1,
 FALSE, NULL, FALSE FROM pg_catalog.pg_class pc INNER JOIN pg_catalog.pg_attribute pa ON pa.attrelid = pc.oid
 INNER JOIN pg_catalog.pg_type pt ON pt.oid = pa.atttypid WHERE pc.relkind = 'm' ORDER BY name

SELECT fk_ns.nspname AS "fk-table-schema", fk_column.attname AS "fk-column-name", pk_table.relname AS "pk-table-name"
 FROM pg_constraint c INNER JOIN pg_class fk_table ON c.conrelid = fk_table.oid
 INNER JOIN pg_namespace fk_ns ON c.connamespace = fk_ns.oid
 INNER JOIN pg_attribute fk_column ON c.conrelid = fk_column.attrelid INNER JOIN pg_class pk_table ON c.confrelid = pk_table.oid
 WHERE c.contype = 'f'::char AND fk_column.attnum = ANY(c.conkey)

SELECT tmp.name, trim(BOTH '"' FROM pg_catalog.pg_get_indexdef(tmp.ci_oid, tmp.pos, FALSE)) AS "field-name"
 FROM (SELECT ct.relname AS name, ci.oid AS ci_oid, (information_schema._pg_expandarray(i.indkey)).n AS pos
 FROM pg_catalog.pg_class ct INNER JOIN pg_catalog.pg_index i ON ct.oid = i.indrelid
 INNER JOIN pg_catalog.pg_class ci ON ci.oid = i.indexrelid
 WHERE pg_catalog.pg_get_expr(i.indpred, i.indrelid) IS NULL) tmp WHERE tmp.pos = 1

SELECT TRUE AS "_" FROM "public"."customers" WHERE 1 <> 1 LIMIT 0

SELECT "source"."substring1" AS "substring1" FROM (SELECT substring("public"."customers"."note", 1, 1234) AS "substring1"
 FROM "public"."customers") AS "source" LIMIT 10000

SELECT date_trunc('month', CAST('2024-01-01' AS timestamp)) AS month, count(*) AS count, sum("public"."orders"."total") AS sum
 FROM "public"."orders" GROUP BY date_trunc('month', CAST('2024-01-01' AS timestamp)) ORDER BY 1
"""

ASKED = {"pgjdbc": PGJDBC, "DBeaver": DBEAVER, "DataGrip": DATAGRIP, "Metabase": METABASE}

#: What the tools also ask and may not have: why. Each shows an empty or partial pane and goes on.
REFUSED: tuple[tuple[str, str, str], ...] = (
    ("DBeaver", "SELECT sa.* FROM pg_catalog.pg_stat_activity sa", "the statements of others, with their values"),
    ("DBeaver", "SELECT * FROM pg_catalog.pg_authid", "password verifiers"),
    ("DBeaver", "SELECT * FROM pg_catalog.pg_subscription", "connection strings"),
    ("DBeaver", "SELECT * FROM pg_catalog.pg_stats WHERE tablename = 'customers'", "values out of masked columns"),
    ("DBeaver", "SELECT pg_catalog.pg_terminate_backend(1)", "ends other people's sessions"),
    ("DataGrip", "select umid, umoptions from pg_catalog.pg_user_mappings", "passwords of foreign servers"),
    ("pgjdbc", "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE", "lifts the read-only backstop"),
)


def asked() -> list[tuple[str, str]]:
    """(tool, statement) in the order a tool sends them."""
    return [(tool, text.strip()) for tool, block in ASKED.items() for text in block.split("\n\n") if text.strip()]
