"""What is asked of pg_catalog, for PostgreSQL 13 to 18, as any role and with an empty search_path.

Oids below 16384 (FirstNormalObjectId) came with the server.
"""

from __future__ import annotations

QUERIES: dict[str, str] = {
    "schemas": "SELECT n.nspname FROM pg_namespace n WHERE n.nspname !~ '^pg_(temp|toast)'",
    "functions": """
        SELECT n.nspname, p.proname, p.provolatile, p.prokind, p.proretset, coalesce(e.extname, ''), p.oid < 16384,
               CASE WHEN p.prokind <> 'a' OR p.oid < 16384 THEN l.lanname ELSE coalesce((
                   SELECT min(al.lanname) FROM pg_aggregate a
                     JOIN pg_proc ap ON ap.oid IN (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn,
                         a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)
                     JOIN pg_language al ON al.oid = ap.prolang
                    WHERE a.aggfnoid = p.oid AND al.lanname NOT IN ('internal', 'c')), 'internal') END,
               p.pronargs >= 1 AND p.pronargs - p.pronargdefaults <= 1
                 AND (p.provariadic <> 0 OR t.typtype IN ('c', 'p', 'd')),
               p.pronargs >= 1 AND p.pronargs - p.pronargdefaults <= 1
          FROM pg_proc p
          JOIN pg_namespace n ON n.oid = p.pronamespace
          JOIN pg_language l ON l.oid = p.prolang
          LEFT JOIN pg_type t ON t.oid = p.proargtypes[0]
          LEFT JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
          LEFT JOIN pg_extension e ON e.oid = d.refobjid
         WHERE n.nspname !~ '^pg_(temp|toast)'""",
    "relations": """
        SELECT c.oid::bigint, n.nspname, c.relname, c.relkind,
               CASE WHEN c.relkind IN ('v', 'm') AND c.oid >= 16384 THEN pg_get_viewdef(c.oid) END
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname !~ '^pg_(temp|toast)'""",
    "columns": """
        SELECT a.attrelid::bigint, array_agg(a.attnum::int ORDER BY a.attnum), array_agg(a.attname ORDER BY a.attnum),
               array_agg(a.atttypid::bigint ORDER BY a.attnum)
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'm', 'p', 'f', 'c') AND n.nspname !~ '^pg_(temp|toast)'
         GROUP BY a.attrelid""",
    "generated": """
        SELECT a.attrelid::bigint, a.attnum::int, ARRAY(
                   SELECT s.attname::text
                     FROM pg_depend d JOIN pg_attribute s ON s.attrelid = d.refobjid AND s.attnum = d.refobjsubid
                    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid
                      AND d.refobjsubid NOT IN (0, a.attnum)
                      AND (d.classid = 'pg_class'::regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum
                           OR d.classid = 'pg_attrdef'::regclass AND d.objid IN (
                               SELECT f.oid FROM pg_attrdef f WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum)))
          FROM pg_attribute a
         WHERE a.attgenerated <> '' AND NOT a.attisdropped""",
    "keys": """
        SELECT i.indrelid::bigint, array_agg(a.attname)
          FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
         WHERE i.indisprimary AND i.indrelid >= 16384 GROUP BY i.indrelid""",
    # By what tables are divided into partitions with bounds; a part that is an expression may be made of any column.
    "divided": """
        SELECT p.partrelid::bigint, array_agg(a.attname)
          FROM pg_partitioned_table p JOIN pg_attribute a ON a.attrelid = p.partrelid
         WHERE p.partstrat <> 'h' AND a.attnum > 0 AND NOT a.attisdropped
           AND (p.partexprs IS NOT NULL OR a.attnum = ANY (p.partattrs)) GROUP BY p.partrelid""",
    "parents": "SELECT inhrelid::bigint, inhparent::bigint FROM pg_inherits",
    "sources": """
        SELECT DISTINCT r.ev_class::bigint, d.refobjid::bigint
          FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
         WHERE r.rulename = '_RETURN' AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
           AND r.ev_class >= 16384""",
    "rules": """
        SELECT r.ev_class::bigint, r.rulename, r.ev_type, r.is_instead, pg_get_ruledef(r.oid)
          FROM pg_rewrite r
         WHERE r.rulename <> '_RETURN' AND r.ev_enabled <> 'D' AND r.ev_class >= 16384 ORDER BY r.rulename""",
    "triggers": """
        SELECT t.tgrelid::bigint, t.tgname, t.tgtype::int, n.nspname, p.proname,
               array_remove(ARRAY[t.tgoldtable, t.tgnewtable]::text[], NULL)
          FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE NOT t.tgisinternal AND t.tgenabled <> 'D' ORDER BY t.tgname""",
    "trigger_functions": """
        SELECT l.lanname, CASE WHEN l.lanname = 'plpgsql' THEN pg_get_functiondef(p.oid) END,
               n.nspname, p.proname
          FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE p.oid IN (SELECT tgfoid FROM pg_trigger WHERE NOT tgisinternal)
            OR p.prorettype = 'pg_catalog.trigger'::regtype AND p.oid >= 16384""",
    # Defaults, generated columns, checks, indexes and policies: the functions, and those behind the operators, in them.
    "attached": """
        WITH parts (relation, event, class, object) AS (
            SELECT adrelid, 'w', 'pg_attrdef'::regclass, oid FROM pg_attrdef
            UNION ALL SELECT conrelid, 'w', 'pg_constraint'::regclass, oid FROM pg_constraint WHERE conrelid <> 0
            UNION ALL SELECT indrelid, 'w', 'pg_class'::regclass, indexrelid FROM pg_index WHERE indexrelid >= 16384
            UNION ALL SELECT p.polrelid, 'r', 'pg_policy'::regclass, p.oid FROM pg_policy p
              JOIN pg_class c ON c.oid = p.polrelid WHERE c.relrowsecurity)
        SELECT DISTINCT parts.relation::bigint, parts.event, n.nspname, p.proname
          FROM parts JOIN pg_depend d ON d.classid = parts.class AND d.objid = parts.object
          LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
          JOIN pg_proc p ON d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass)
           AND p.oid = coalesce(o.oprcode, d.refobjid)
          JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE p.oid >= 16384""",
    "foreign_keys": """
        SELECT cn.nspname, cc.relname, pn.nspname, pc.relname, f.confdeltype, f.confupdtype,
               (SELECT array_agg(attname) FROM pg_attribute WHERE attrelid = f.conrelid AND attnum = ANY (f.conkey)),
               (SELECT array_agg(attname) FROM pg_attribute WHERE attrelid = f.confrelid AND attnum = ANY (f.confkey))
          FROM pg_constraint f
          JOIN pg_class cc ON cc.oid = f.conrelid JOIN pg_namespace cn ON cn.oid = cc.relnamespace
          JOIN pg_class pc ON pc.oid = f.confrelid JOIN pg_namespace pn ON pn.oid = pc.relnamespace
         WHERE f.contype = 'f'""",
    "operators": """
        SELECT n.nspname, o.oprname, o.oid < 16384, pn.nspname, p.proname
          FROM pg_operator o
          JOIN pg_namespace n ON n.oid = o.oprnamespace
          JOIN pg_proc p ON p.oid = o.oprcode JOIN pg_namespace pn ON pn.oid = p.pronamespace""",
    "types": """
        SELECT t.oid::bigint, n.nspname, t.typname, t.typelem::bigint, t.typbasetype::bigint, t.typrelid::bigint
          FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE n.nspname !~ '^pg_(temp|toast)'""",
    "conversions": """
        SELECT c.contypid::bigint, n.nspname, p.proname
          FROM pg_constraint c
          JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
          JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid
          JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE c.contypid <> 0 AND p.oid >= 16384
        UNION ALL
        SELECT c.contypid::bigint, n.nspname, p.proname
          FROM pg_constraint c
          JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid
          JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
          JOIN pg_proc p ON p.oid = o.oprcode JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE c.contypid <> 0 AND p.oid >= 16384
        UNION ALL
        SELECT c.casttarget::bigint, n.nspname, p.proname
          FROM pg_cast c JOIN pg_proc p ON p.oid = c.castfunc JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE p.oid >= 16384""",
}

#: What of a catalog counts: of all dependencies only those that make something a part of an extension.
_MARKED = {
    "pg_aggregate": "", "pg_attrdef": "", "pg_attribute": "", "pg_cast": "", "pg_class": "", "pg_constraint": "",
    "pg_depend": " WHERE deptype = 'e'", "pg_extension": "", "pg_index": "", "pg_inherits": "", "pg_language": "",
    "pg_namespace": "", "pg_operator": "", "pg_partitioned_table": "", "pg_policy": "", "pg_proc": "", "pg_rewrite": "",
    "pg_trigger": "", "pg_type": "",
}  # fmt: skip

#: Changes whenever any definition does: every change of a catalog row writes another version of the row, by another
#: transaction and at another place. All of them count, not the newest: an older transaction may commit later. (`bit_xor` came with 14.)
MARK = " UNION ALL ".join(
    f"SELECT '{table}', count(*), sum(hashtextextended(ctid::text || ' ' || xmin::text, 0))::text FROM pg_catalog.{table}{which}"  # noqa: S608 - from the list above
    for table, which in _MARKED.items()
)
