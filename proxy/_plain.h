/* A plain SELECT taken apart, out of the parser's JSON (libpg_query): the twin of `proxy/sql/plain.py`, which says what it means.
 *
 * Pure C without Python. The JSON becomes nodes in one array; every name of a field is a number, so that what a node may
 * hold is a set of bits. Whatever is not known, too long or too deep makes the statement not plain: every function here
 * says whether to go on. Nothing grows, nothing is allocated.
 */
#include "_bytes.h"

#define FIELDS(X) \
    X(version) X(stmts) X(stmt) X(stmt_len) X(stmt_location) X(distinctClause) X(targetList) X(fromClause) X(whereClause) \
    X(groupClause) X(havingClause) X(sortClause) X(limitOffset) X(limitCount) X(limitOption) X(op) X(name) X(val) X(location) \
    X(fields) X(sval) X(ival) X(fval) X(boolval) X(isnull) X(number) X(kind) X(lexpr) X(rexpr) X(boolop) X(args) X(items) X(arg) \
    X(nulltesttype) X(argisrow) X(funcname) X(agg_star) X(agg_distinct) X(funcformat) X(typeName) X(names) X(typemod) X(typmods) \
    X(arrayBounds) X(defresult) X(expr) X(result) X(schemaname) X(relname) X(inh) X(relpersistence) X(alias) X(aliasname) \
    X(jointype) X(larg) X(rarg) X(quals) X(rtindex) X(node) X(sortby_dir) X(sortby_nulls)
#define KINDS(X) \
    X(SelectStmt) X(ResTarget) X(ColumnRef) X(String) X(A_Star) X(A_Const) X(ParamRef) X(A_Expr) X(BoolExpr) X(CoalesceExpr) \
    X(List) X(NullTest) X(FuncCall) X(TypeCast) X(CaseExpr) X(CaseWhen) X(RangeVar) X(JoinExpr) X(SortBy)
#define AS_ID(name) F_##name,
enum { FIELDS(AS_ID) UNKNOWN_FIELD = 63, KINDS_FROM = 64, KINDS_BEFORE = 63, KINDS(AS_ID) NO_KEY };
#define AS_WORD(name) {#name, sizeof #name - 1, F_##name},
static const struct { const char *word; unsigned char size, id; } words[] = {FIELDS(AS_WORD) KINDS(AS_WORD)};
enum { WORDS = sizeof words / sizeof *words, SLOTS = 512 };
/* Numbers of words + 1 by their hash; two for those that share one. */
static unsigned char slots[SLOTS][3];

enum { MOST_NODES = 6000, MOST_NAMES = 128, MOST_NUMBERS = 4096, MOST_EXPRESSIONS = 256, MOST_OF_ONE = 512, DEEPEST = 40, DEEPEST_JSON = 240 };

/* A value of the JSON. A container has its first child, every child the next one; an object the bits of its fields. */
typedef struct { uint64_t has; uint32_t start, size; uint16_t first, next; unsigned char key, type, escaped; } Json;
enum { OBJECT = 1, ARRAY, TEXT, NUMBER, WORD };

typedef struct { Bytes at; Size size; } Name;
typedef struct { uint16_t start, count; } Span;
typedef struct { int kind; Span columns, tested, literals, parameters; } Expression;
typedef struct { Name schema, name, alias; } Table;
/* `at`: the number of the table, -1 = not said. `used`: it stands somewhere else than alone in GROUP BY and its like. */
typedef struct { Name table, column; int at, used; } Ref;
/* A name of one or two parts. */
typedef struct { Name first, last; } Qualified;
/* `star`: `at` is the number of the table whose columns it stands for, -1 = all. */
typedef struct { int star, at; Name table, name; uint16_t expression; } Output;
/* `number`: of tables in scope, or of an output column. */
typedef struct { long number; uint16_t expression; } Numbered;

typedef struct {
    Bytes text;
    Json nodes[MOST_NODES];
    uint16_t made;
    /* Names that are written with escapes, as they are. */
    unsigned char unescaped[1024];
    Size used;
    Table tables[MOST_NAMES];
    Ref refs[MOST_NAMES];
    Qualified calls[MOST_NAMES], shown[MOST_NAMES], casts[MOST_NAMES];
    Name operators[MOST_NAMES];
    Output outputs[MOST_EXPRESSIONS];
    Numbered conditions[MOST_EXPRESSIONS], groups[MOST_EXPRESSIONS];
    uint16_t limits[2];
    int table_count, ref_count, call_count, shown_count, cast_count, operator_count, output_count, condition_count, group_count, limit_count;
    Expression expressions[MOST_EXPRESSIONS];
    int expression_count;
    int32_t numbers[MOST_NUMBERS];
    int number_count;
    /* Of the expression at hand. */
    int32_t columns[MOST_OF_ONE], tested[MOST_OF_ONE], literals[MOST_OF_ONE], parameters[MOST_OF_ONE];
    int column_count, tested_count, literal_count, parameter_count, reads;
    int is_shown, grouped, counted, stands_alone;
    long most;
} Plain;

enum { COLUMN = 1, CONSTANT = 2, EQUAL = 4, LOOKUP = 8, GIVEN = 16, READS = 32 };

/* ------------------------------------------------------------------------------------------------------------ JSON */

static unsigned hashed(Bytes p, Size n) { return ((unsigned)n * 31u + p[0] * 7u + p[n - 1] * 131u + p[n / 2] * 17u) % SLOTS; }

/* Once, before anything is read. 0: a hash is shared by too many, which a test would see. */
static int learn_words(void) {
    for (int i = 0; i < WORDS; i++) {
        unsigned char *slot = slots[hashed((Bytes)words[i].word, words[i].size)];
        int at = 0;
        while (at < 3 && slot[at]) at++;
        if (at == 3) return 0;
        slot[at] = (unsigned char)(i + 1);
    }
    return 1;
}

static unsigned char key_of(Bytes p, Size n) {
    if (!n) return UNKNOWN_FIELD;
    const unsigned char *slot = slots[hashed(p, n)];
    for (int i = 0; i < 3 && slot[i]; i++)
        if (words[slot[i] - 1].size == n && !memcmp(words[slot[i] - 1].word, p, (size_t)n)) return words[slot[i] - 1].id;
    return UNKNOWN_FIELD;
}

static int hex(unsigned char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* A whole number of at most 10 digits, true, false or null: the parser writes no others. */
static int is_scalar(Bytes p, Size n) {
    Size digits = n && *p == '-' ? 1 : 0;
    if (n - digits > 0 && n - digits <= 10 && (n - digits == 1 || p[digits] != '0')) {
        while (digits < n && p[digits] >= '0' && p[digits] <= '9') digits++;
        if (digits == n) return 1;
    }
    return (n == 4 && (!memcmp(p, "true", 4) || !memcmp(p, "null", 4))) || (n == 5 && !memcmp(p, "false", 5));
}

/* One value at `*at`; its number, 0 = not one that is understood. */
static uint16_t value_at(Plain *p, Bytes text, Size n, Size *at, int depth) {
    if (p->made + 1 >= MOST_NODES || depth > DEEPEST_JSON || *at >= n) return 0;
    uint16_t made = ++p->made;
    Json *one = &p->nodes[made];
    memset(one, 0, sizeof *one);
    one->key = NO_KEY;
    Size i = *at;
    if (text[i] == '"') {
        one->type = TEXT, one->start = (uint32_t)++i;
        for (; i < n && text[i] != '"'; i++) {
            if (text[i] < ' ') return 0;
            if (text[i] != '\\') continue;
            one->escaped = 1;
            if (++i >= n || !text[i] || !strchr("\"\\/bfnrtu", text[i])) return 0;
            for (int digits = text[i] == 'u' ? 4 : 0; digits; digits--)
                if (++i >= n || hex(text[i]) < 0) return 0;
        }
        if (i >= n) return 0;
        one->size = (uint32_t)(i - one->start);
        *at = i + 1;
        return made;
    }
    if (text[i] != '{' && text[i] != '[') {
        one->type = text[i] == '-' || (text[i] >= '0' && text[i] <= '9') ? NUMBER : WORD, one->start = (uint32_t)i;
        while (i < n && text[i] != ',' && text[i] != '}' && text[i] != ']') i++;
        one->size = (uint32_t)(i - one->start);
        *at = i;
        return is_scalar(text + one->start, one->size) ? made : 0;
    }
    unsigned char close = text[i] == '{' ? '}' : ']';
    one->type = close == '}' ? OBJECT : ARRAY;
    if (++i < n && text[i] == close) { *at = i + 1; return made; }
    for (uint16_t last = 0;;) {
        unsigned char key = NO_KEY;
        if (close == '}') {
            if (i >= n || text[i] != '"') return 0;
            Size start = ++i;
            for (; i < n && text[i] != '"'; i++)
                if (text[i] == '\\' || text[i] < ' ') return 0;
            if (i + 1 >= n || text[i + 1] != ':') return 0;
            key = key_of(text + start, i - start);
            uint64_t bit = (uint64_t)1 << (key < KINDS_FROM ? key : UNKNOWN_FIELD);
            if (key != UNKNOWN_FIELD && key < KINDS_FROM && one->has & bit) return 0;
            one->has |= bit;
            i += 2;
        }
        uint16_t child = value_at(p, text, n, &i, depth + 1);
        if (!child) return 0;
        p->nodes[child].key = key;
        if (last) p->nodes[last].next = child;
        else one->first = child;
        last = child;
        if (i >= n) return 0;
        if (text[i] == close) { *at = i + 1; return made; }
        if (text[i++] != ',') return 0;
    }
}

/* The value of a field; node 0, which holds nothing, when there is none. */
static uint16_t field(const Plain *p, uint16_t object, int key) {
    if (!(p->nodes[object].has >> key & 1)) return 0;
    for (uint16_t one = p->nodes[object].first; one; one = p->nodes[one].next)
        if (p->nodes[one].key == key) return one;
    return 0;
}

#define BIT(name) ((uint64_t)1 << F_##name)
static int has_only(const Plain *p, uint16_t object, uint64_t fields) { return p->nodes[object].type == OBJECT && !(p->nodes[object].has & ~fields); }

/* The fields of a node of this kind (`{"ColumnRef": {…}}`); 0 when it is of another. */
static uint16_t fields_of(const Plain *p, uint16_t node, int kind) {
    uint16_t inner = p->nodes[node].first;
    return inner && p->nodes[node].type == OBJECT && p->nodes[inner].key == kind && !p->nodes[inner].next && p->nodes[inner].type == OBJECT ? inner : 0;
}

static int kind_of(const Plain *p, uint16_t node) {
    uint16_t inner = p->nodes[node].first;
    if (!inner || p->nodes[node].type != OBJECT || p->nodes[inner].next || p->nodes[inner].type != OBJECT) return NO_KEY;
    return p->nodes[inner].key < KINDS_FROM ? NO_KEY : p->nodes[inner].key;
}

static int is_word(const Plain *p, uint16_t node, const char *word) {
    const Json *one = &p->nodes[node];
    return one->type == TEXT && one->size == strlen(word) && !memcmp(p->text + one->start, word, one->size);
}

/* A whole number of a node, `otherwise` when there is none. */
static int number_of(const Plain *p, uint16_t node, long otherwise, long *number) {
    const Json *one = &p->nodes[node];
    *number = otherwise;
    if (!node) return 1;
    Bytes at = p->text + one->start, end = at + one->size;
    if (one->type != NUMBER || one->size > 11) return 0;
    int minus = *at == '-';
    int64_t value = 0;
    for (at += minus; at < end; at++) {
        if (*at < '0' || *at > '9') return 0;
        value = value * 10 + (*at - '0');
    }
    if (value > INT32_MAX) return 0;
    *number = (long)(minus ? -value : value);
    return 1;
}

/* A text as it is. libpg_query escapes only quotes, backslashes, < and > and &, and what is not seen. */
static int text_of(Plain *p, uint16_t node, Name *name) {
    const Json *one = &p->nodes[node];
    if (one->type != TEXT || !one->size) return 0;
    name->at = p->text + one->start, name->size = one->size;
    if (!one->escaped) return 1;
    if (p->used + name->size > (Size)sizeof p->unescaped) return 0;
    unsigned char *to = p->unescaped + p->used;
    name->size = 0;
    for (Bytes at = p->text + one->start, end = at + one->size; at < end; at++) {
        unsigned char c = *at;
        if (c == '\\') {
            if (end - at < 2) return 0;
            c = *++at;
            if (c == 'u') {
                if (end - at < 5 || at[1] != '0' || at[2] != '0' || at[3] < '2' || at[3] > '7') return 0;
                c = (unsigned char)(hex(at[3]) << 4 | hex(at[4]));
                at += 4;
            } else if (c != '"' && c != '\\' && c != '/') {
                return 0;
            }
        }
        to[name->size++] = c;
    }
    name->at = to;
    p->used += name->size;
    return 1;
}

/* ----------------------------------------------------------------------------------------------------------- names */

static int same(Name one, Name other) { return one.size == other.size && (!one.size || !memcmp(one.at, other.at, (size_t)one.size)); }

static int is_name(Name one, const char *word) { return one.size == (Size)strlen(word) && !memcmp(one.at, word, (size_t)one.size); }

/* The text of `{"String": {"sval": …}}`. */
static int string_of(Plain *p, uint16_t node, Name *name) {
    uint16_t inner = fields_of(p, node, F_String);
    return inner && text_of(p, field(p, inner, F_sval), name);
}

/* A list of one or two names. */
static int qualified(Plain *p, uint16_t list, Qualified *name) {
    uint16_t one = p->nodes[list].first;
    memset(name, 0, sizeof *name);
    if (p->nodes[list].type != ARRAY || !one || !string_of(p, one, &name->last)) return 0;
    if (!(one = p->nodes[one].next)) return 1;
    name->first = name->last;
    return !p->nodes[one].next && string_of(p, one, &name->last);
}

static int add_qualified(Qualified *known, int *count, Qualified name) {
    for (int i = 0; i < *count; i++)
        if (same(known[i].first, name.first) && same(known[i].last, name.last)) return 1;
    if (*count == MOST_NAMES) return 0;
    known[(*count)++] = name;
    return 1;
}

static int add_operator(Plain *p, Name name) {
    for (int i = 0; i < p->operator_count; i++)
        if (same(p->operators[i], name)) return 1;
    if (p->operator_count == MOST_NAMES) return 0;
    p->operators[p->operator_count++] = name;
    return 1;
}

/* ----------------------------------------------------------------------------------------------------- expressions */

static int walk(Plain *p, uint16_t node, int depth, int tested);

static int walk_all(Plain *p, uint16_t list, int depth, int tested) {
    if (p->nodes[list].type != ARRAY) return 0;
    for (uint16_t one = p->nodes[list].first; one; one = p->nodes[one].next)
        if (!walk(p, one, depth, tested)) return 0;
    return 1;
}

static int add_number(int32_t *numbers, int *count, int32_t number, int once) {
    for (int i = 0; once && i < *count; i++)
        if (numbers[i] == number) return 1;
    if (*count == MOST_OF_ONE) return 0;
    numbers[(*count)++] = number;
    return 1;
}

static int walk_column(Plain *p, uint16_t body, int tested) {
    Qualified name;
    if (!has_only(p, body, BIT(fields) | BIT(location)) || !qualified(p, field(p, body, F_fields), &name)) return 0;
    int at = 0;
    while (at < p->ref_count && !(same(p->refs[at].table, name.first) && same(p->refs[at].column, name.last))) at++;
    if (at == MOST_NAMES) return 0;
    if (at == p->ref_count) p->refs[p->ref_count++] = (Ref){name.first, name.last, -1, 0};
    if (!p->stands_alone || name.first.size) p->refs[at].used = 1;
    p->reads = 1;
    return tested ? add_number(p->tested, &p->tested_count, at, 1) : add_number(p->columns, &p->column_count, at, 1);
}

static int walk_constant(Plain *p, uint16_t body) {
    long place;
    uint16_t whole = field(p, body, F_ival), decimal = field(p, body, F_fval);
    if (!has_only(p, body, BIT(ival) | BIT(fval) | BIT(sval) | BIT(boolval) | BIT(isnull) | BIT(location))) return 0;
    if ((whole && !has_only(p, whole, BIT(ival))) || (decimal && !has_only(p, decimal, BIT(fval)))) return 0;
    return number_of(p, field(p, body, F_location), 0, &place) && add_number(p->literals, &p->literal_count, (int32_t)place, 0);
}

/* A plain number of a length, a place or a precision. */
static int is_short(const Plain *p, uint16_t constant) {
    uint16_t number = field(p, constant, F_ival);
    if (!number && !(number = field(p, constant, F_fval))) return 0;
    uint16_t value = field(p, number, F_ival);
    if (!value) value = field(p, number, F_fval);
    int digits = 0;
    for (uint32_t i = 0; value && i < p->nodes[value].size; i++) {
        unsigned char c = p->text[p->nodes[value].start + i];
        digits += c >= '0' && c <= '9';
    }
    return digits <= 4;
}

static int is_counting(Name name) { return is_name(name, "count") || is_name(name, "num_nonnulls") || is_name(name, "num_nulls") || is_name(name, "pg_typeof"); }

static int walk_call(Plain *p, uint16_t body, int depth, int tested) {
    Qualified name;
    const uint64_t known = BIT(funcname) | BIT(args) | BIT(agg_star) | BIT(agg_distinct) | BIT(funcformat) | BIT(location);
    if (!has_only(p, body, known) || !qualified(p, field(p, body, F_funcname), &name)) return 0;
    if (!add_qualified(p->calls, &p->call_count, name)) return 0;
    if (p->is_shown && !add_qualified(p->shown, &p->shown_count, name)) return 0;
    uint16_t args = field(p, body, F_args);
    if (!args) return 1;
    if (is_counting(name.last)) {
        int bare = 1, columns = p->column_count, also = p->tested_count;
        for (uint16_t one = p->nodes[args].first; one; one = p->nodes[one].next) bare = bare && fields_of(p, one, F_ColumnRef);
        if (bare) {
            if (!walk_all(p, args, depth + 1, tested)) return 0;
            p->column_count = columns, p->tested_count = also;
            return 1;
        }
    }
    if (p->nodes[args].type != ARRAY) return 0;
    for (uint16_t one = p->nodes[args].first; one; one = p->nodes[one].next) {
        int before = p->literal_count;
        if (!walk(p, one, depth + 1, tested)) return 0;
        uint16_t constant = fields_of(p, one, F_A_Const);
        if (constant && is_short(p, constant)) p->literal_count = before;
    }
    return 1;
}

static int walk_cast(Plain *p, uint16_t body, int depth, int tested) {
    Qualified name;
    uint16_t type = field(p, body, F_typeName), mods = field(p, type, F_typmods);
    long place;
    if (!has_only(p, body, BIT(arg) | BIT(typeName) | BIT(location))) return 0;
    if (!has_only(p, type, BIT(names) | BIT(typemod) | BIT(typmods) | BIT(arrayBounds) | BIT(location))) return 0;
    if (!qualified(p, field(p, type, F_names), &name) || !add_qualified(p->casts, &p->cast_count, name)) return 0;
    for (uint16_t one = p->nodes[mods].first; one; one = p->nodes[one].next) {
        uint16_t constant = fields_of(p, one, F_A_Const);
        if (!constant || !number_of(p, field(p, constant, F_location), 0, &place)) return 0;
        if (!add_number(p->literals, &p->literal_count, (int32_t)place, 0)) return 0;
    }
    return walk(p, field(p, body, F_arg), depth + 1, tested);
}

static int walk_case(Plain *p, uint16_t body, int depth, int tested) {
    static const Name equals = {(Bytes)"=", 1};
    uint16_t first = field(p, body, F_arg), args = field(p, body, F_args), last = field(p, body, F_defresult);
    if (!has_only(p, body, BIT(arg) | BIT(args) | BIT(defresult) | BIT(location)) || p->nodes[args].type != ARRAY) return 0;
    if (first && !(add_operator(p, equals) && walk(p, first, depth + 1, tested))) return 0;
    for (uint16_t one = p->nodes[args].first; one; one = p->nodes[one].next) {
        uint16_t when = fields_of(p, one, F_CaseWhen);
        if (!when || !has_only(p, when, BIT(expr) | BIT(result) | BIT(location))) return 0;
        if (!walk(p, field(p, when, F_expr), depth + 1, tested) || !walk(p, field(p, when, F_result), depth + 1, tested)) return 0;
    }
    return !last || walk(p, last, depth + 1, tested);
}

static int walk_operation(Plain *p, uint16_t body, int depth, int tested) {
    Qualified name;
    uint16_t right = field(p, body, F_rexpr), left = field(p, body, F_lexpr);
    if (!has_only(p, body, BIT(kind) | BIT(name) | BIT(lexpr) | BIT(rexpr) | BIT(location))) return 0;
    if (!qualified(p, field(p, body, F_name), &name) || name.first.size || !add_operator(p, name.last)) return 0;
    return (!right || walk(p, right, depth + 1, tested)) && (!left || walk(p, left, depth + 1, tested));
}

/* What stands in an expression, added to the one at hand. */
static int walk(Plain *p, uint16_t node, int depth, int tested) {
    uint16_t body = p->nodes[node].first;
    long number;
    if (depth > DEEPEST) return 0;
    switch (kind_of(p, node)) {
    case F_ColumnRef: return walk_column(p, body, tested);
    case F_A_Const: return walk_constant(p, body);
    case F_ParamRef:
        if (!has_only(p, body, BIT(number) | BIT(location)) || !number_of(p, field(p, body, F_number), 0, &number)) return 0;
        return add_number(p->parameters, &p->parameter_count, (int32_t)number, 0);
    case F_A_Expr: return walk_operation(p, body, depth, tested);
    case F_BoolExpr: return has_only(p, body, BIT(boolop) | BIT(args) | BIT(location)) && walk_all(p, field(p, body, F_args), depth + 1, tested);
    case F_CoalesceExpr: return has_only(p, body, BIT(args) | BIT(location)) && walk_all(p, field(p, body, F_args), depth + 1, tested);
    case F_List: return has_only(p, body, BIT(items)) && walk_all(p, field(p, body, F_items), depth + 1, tested);
    case F_NullTest:
        if (!has_only(p, body, BIT(arg) | BIT(nulltesttype) | BIT(argisrow) | BIT(location))) return 0;
        node = field(p, body, F_arg);
        return walk(p, node, depth + 1, tested || fields_of(p, node, F_ColumnRef));
    case F_FuncCall: return walk_call(p, body, depth, tested);
    case F_TypeCast: return walk_cast(p, body, depth, tested);
    case F_CaseExpr: return walk_case(p, body, depth, tested);
    default: return 0;
    }
}

static int kept(Plain *p, const int32_t *numbers, int count, Span *span) {
    if (p->number_count + count > MOST_NUMBERS) return 0;
    span->start = (uint16_t)p->number_count, span->count = (uint16_t)count;
    memcpy(p->numbers + p->number_count, numbers, (size_t)count * sizeof *numbers);
    p->number_count += count;
    return 1;
}

/* The body of `left = right`; 0 when a node is something else. */
static uint16_t equality(Plain *p, uint16_t node) {
    Qualified name;
    uint16_t body = fields_of(p, node, F_A_Expr);
    if (!body || !is_word(p, field(p, body, F_kind), "AEXPR_OP")) return 0;
    return qualified(p, field(p, body, F_name), &name) && !name.first.size && is_name(name.last, "=") ? body : 0;
}

static int is_value(const Plain *p, uint16_t node) { return fields_of(p, node, F_A_Const) || fields_of(p, node, F_ParamRef); }

static uint16_t behind_cast(const Plain *p, uint16_t node) {
    uint16_t cast = fields_of(p, node, F_TypeCast);
    return cast ? field(p, cast, F_arg) : node;
}

static int is_lookup(Plain *p, uint16_t node) {
    uint16_t body = equality(p, node), left = field(p, body, F_lexpr), right = field(p, body, F_rexpr);
    int columns = !!fields_of(p, left, F_ColumnRef) + !!fields_of(p, right, F_ColumnRef);
    return body && columns == 1 && (is_value(p, behind_cast(p, left)) || is_value(p, behind_cast(p, right)));
}

static int is_given(Plain *p, uint16_t node) {
    uint16_t body = equality(p, node), value = field(p, body, F_rexpr);
    if (!body || !fields_of(p, field(p, body, F_lexpr), F_ColumnRef)) return 0;
    while (fields_of(p, value, F_TypeCast)) value = behind_cast(p, value);
    return is_value(p, value);
}

static int expression(Plain *p, uint16_t node, uint16_t *made) {
    p->column_count = p->tested_count = p->literal_count = p->parameter_count = p->reads = 0;
    if (p->expression_count == MOST_EXPRESSIONS || !walk(p, node, 0, 0)) return 0;
    Expression *one = &p->expressions[p->expression_count];
    *made = (uint16_t)p->expression_count++;
    one->kind = p->reads ? READS : 0;
    if (fields_of(p, node, F_ColumnRef)) one->kind |= COLUMN;
    else if (fields_of(p, node, F_A_Const)) one->kind |= CONSTANT;
    else {
        uint16_t body = equality(p, node);
        if (body && fields_of(p, field(p, body, F_lexpr), F_ColumnRef) && fields_of(p, field(p, body, F_rexpr), F_ColumnRef)) one->kind |= EQUAL;
    }
    return kept(p, p->columns, p->column_count, &one->columns) && kept(p, p->tested, p->tested_count, &one->tested) &&
           kept(p, p->literals, p->literal_count, &one->literals) && kept(p, p->parameters, p->parameter_count, &one->parameters);
}

/* -------------------------------------------------------------------------------------------------- the statement */

/* The name PostgreSQL gives to an output column. */
static int called(Plain *p, uint16_t node, Name *name) {
    static const Name nameless = {(Bytes)"?column?", 8}, coalesce = {(Bytes)"coalesce", 8}, nullif = {(Bytes)"nullif", 6}, in_case = {(Bytes)"case", 4};
    Name fallback = {NULL, 0};
    Qualified found;
    for (int i = 0; i <= DEEPEST; i++) {
        uint16_t body = p->nodes[node].first;
        int kind = kind_of(p, node);
        if (kind == F_ColumnRef || kind == F_FuncCall) {
            if (!qualified(p, field(p, body, kind == F_ColumnRef ? F_fields : F_funcname), &found)) return 0;
            *name = found.last;
            return 1;
        }
        if (kind == F_CoalesceExpr) { *name = coalesce; return 1; }
        if (kind == F_A_Expr && is_word(p, field(p, body, F_kind), "AEXPR_NULLIF")) { *name = nullif; return 1; }
        if (kind == F_TypeCast) {
            if (!qualified(p, field(p, field(p, body, F_typeName), F_names), &found)) return 0;
            if (!fallback.size) fallback = found.last;
            node = field(p, body, F_arg);
        } else if (kind == F_CaseExpr && field(p, body, F_defresult)) {
            if (!fallback.size) fallback = in_case;
            node = field(p, body, F_defresult);
        } else {
            *name = kind == F_CaseExpr ? in_case : fallback.size ? fallback : nameless;
            return 1;
        }
    }
    *name = fallback.size ? fallback : nameless;
    return 1;
}

static int output(Plain *p, uint16_t node) {
    uint16_t target = fields_of(p, node, F_ResTarget), value = field(p, target, F_val);
    if (!target || !has_only(p, target, BIT(name) | BIT(val) | BIT(location)) || p->output_count == MOST_EXPRESSIONS) return 0;
    Output *one = &p->outputs[p->output_count++];
    memset(one, 0, sizeof *one);
    one->at = -1;
    uint16_t column = fields_of(p, value, F_ColumnRef), parts = field(p, column, F_fields), first = p->nodes[parts].first;
    uint16_t second = p->nodes[first].next;
    if (column && first && (kind_of(p, first) == F_A_Star || (second && kind_of(p, second) == F_A_Star))) {
        one->star = 1;
        return !second ? 1 : !p->nodes[second].next && string_of(p, first, &one->table);
    }
    uint16_t name = field(p, target, F_name);
    return (name ? text_of(p, name, &one->name) : called(p, value, &one->name)) && expression(p, value, &one->expression);
}

static void reverse(Numbered *things, int from, int to) {
    for (to--; from < to; from++, to--) {
        Numbered one = things[from];
        things[from] = things[to], things[to] = one;
    }
}

/* The parts of AND and OR of a condition, in their order. */
static int parts(Plain *p, uint16_t node, int alone, int given, int depth) {
    uint16_t body = fields_of(p, node, F_BoolExpr);
    if (depth > DEEPEST) return 0;
    if (body) {
        uint16_t args = field(p, body, F_args);
        int both = is_word(p, field(p, body, F_boolop), "AND_EXPR");
        if (!has_only(p, body, BIT(boolop) | BIT(args) | BIT(location)) || p->nodes[args].type != ARRAY) return 0;
        for (uint16_t one = p->nodes[args].first; one; one = p->nodes[one].next)
            if (!parts(p, one, alone && both, given && both && !depth, depth + 1)) return 0;
        return 1;
    }
    if (p->condition_count == MOST_EXPRESSIONS) return 0;
    Numbered *one = &p->conditions[p->condition_count++];
    one->number = p->table_count;
    if (!expression(p, node, &one->expression)) return 0;
    Expression *made = &p->expressions[one->expression];
    if (alone && is_lookup(p, node)) made->kind |= LOOKUP;
    if (given && is_given(p, node)) made->kind |= GIVEN;
    return 1;
}

static int item(Plain *p, uint16_t node, int depth) {
    uint16_t table = fields_of(p, node, F_RangeVar), join = fields_of(p, node, F_JoinExpr);
    if (depth > DEEPEST) return 0;
    if (table) {
        uint16_t schema = field(p, table, F_schemaname), alias = field(p, table, F_alias);
        const uint64_t known = BIT(schemaname) | BIT(relname) | BIT(inh) | BIT(relpersistence) | BIT(alias) | BIT(location);
        if (!has_only(p, table, known) || p->table_count == MOST_NAMES) return 0;
        Table *one = &p->tables[p->table_count++];
        memset(one, 0, sizeof *one);
        if (alias && !(has_only(p, alias, BIT(aliasname)) && text_of(p, field(p, alias, F_aliasname), &one->alias))) return 0;
        return text_of(p, field(p, table, F_relname), &one->name) && (!schema || text_of(p, schema, &one->schema));
    }
    if (!join || !has_only(p, join, BIT(jointype) | BIT(larg) | BIT(rarg) | BIT(quals) | BIT(rtindex))) return 0;
    if (!item(p, field(p, join, F_larg), depth + 1) || !item(p, field(p, join, F_rarg), depth + 1)) return 0;
    uint16_t quals = field(p, join, F_quals);
    int before = p->condition_count;
    if (quals && !parts(p, quals, 1, 0, 0)) return 0;
    reverse(p->conditions, before, p->condition_count);
    return 1;
}

/* GROUP BY, ORDER BY or DISTINCT, in its order. */
static int grouping(Plain *p, uint16_t list) {
    for (uint16_t one = p->nodes[list].first; one; one = p->nodes[one].next) {
        uint16_t node = one, sort = fields_of(p, one, F_SortBy);
        if (p->nodes[one].type == OBJECT && !p->nodes[one].first) continue; /* plain DISTINCT */
        if (sort) {
            if (!has_only(p, sort, BIT(node) | BIT(sortby_dir) | BIT(sortby_nulls) | BIT(location))) return 0;
            node = field(p, sort, F_node);
        }
        if (fields_of(p, node, F_BoolExpr) || p->group_count == MOST_EXPRESSIONS) return 0;
        Numbered *made = &p->groups[p->group_count++];
        made->number = 0;
        p->stands_alone = !!fields_of(p, node, F_ColumnRef);
        if (!expression(p, node, &made->expression)) return 0;
        p->stands_alone = 0;
        if (is_lookup(p, node)) p->expressions[made->expression].kind |= LOOKUP;
        uint16_t number = field(p, field(p, fields_of(p, node, F_A_Const), F_ival), F_ival);
        if (!number_of(p, number, 0, &made->number) || made->number < 0) return 0;
    }
    return 1;
}

static int limit(Plain *p, uint16_t node) {
    return !node || (is_value(p, node) && expression(p, node, &p->limits[p->limit_count++]));
}

/* The rows a LIMIT lets through. */
static int most(Plain *p, uint16_t count, uint16_t option) {
    if (!count) return !is_word(p, option, "LIMIT_OPTION_WITH_TIES");
    if (!is_word(p, option, "LIMIT_OPTION_COUNT")) return 0;
    p->most = 0;
    if (fields_of(p, count, F_ParamRef)) return p->counted = 1;
    uint16_t number = field(p, fields_of(p, count, F_A_Const), F_ival);
    p->counted = !!number;
    return number_of(p, field(p, number, F_ival), 0, &p->most);
}

/* The number of the table that is called so; -1 = none. */
static int numbered(const Plain *p, Name table) {
    for (int i = 0; i < p->table_count; i++)
        if (same(p->tables[i].alias.size ? p->tables[i].alias : p->tables[i].name, table)) return i;
    return -1;
}

/* Give references and stars the numbers of their tables; conditions before `joins` name only what is in scope there. */
static int placed(Plain *p, int joins) {
    for (int i = 0; i < p->table_count; i++)
        if (numbered(p, p->tables[i].alias.size ? p->tables[i].alias : p->tables[i].name) != i) return 0;
    for (int i = 0; i < p->ref_count; i++)
        if (p->refs[i].table.size && (p->refs[i].at = numbered(p, p->refs[i].table)) < 0) return 0;
    for (int i = 0; i < p->output_count; i++)
        if (p->outputs[i].star && p->outputs[i].table.size && (p->outputs[i].at = numbered(p, p->outputs[i].table)) < 0) return 0;
    for (int i = 0; i < joins; i++) {
        const Expression *one = &p->expressions[p->conditions[i].expression];
        for (int j = 0; j < one->columns.count + one->tested.count; j++) {
            int after = j - one->columns.count;
            int at = p->refs[p->numbers[after < 0 ? one->columns.start + j : one->tested.start + after]].at;
            if (at < 0 ? p->conditions[i].number != p->table_count : at >= p->conditions[i].number) return 0;
        }
    }
    return 1;
}

static int select_of(Plain *p, uint16_t body) {
    const uint64_t known = BIT(distinctClause) | BIT(targetList) | BIT(fromClause) | BIT(whereClause) | BIT(groupClause) | BIT(havingClause) |
                           BIT(sortClause) | BIT(limitOffset) | BIT(limitCount) | BIT(limitOption) | BIT(op);
    uint16_t op = field(p, body, F_op), where = field(p, body, F_whereClause), having = field(p, body, F_havingClause);
    if (!has_only(p, body, known) || (op && !is_word(p, op, "SETOP_NONE"))) return 0;
    /* In the order of the judge; groups and conditions are put into that of lineage afterwards, the last one first. */
    if (!grouping(p, field(p, body, F_distinctClause))) return 0;
    int distinct = p->group_count;
    p->is_shown = 1;
    for (uint16_t one = p->nodes[field(p, body, F_targetList)].first; one; one = p->nodes[one].next)
        if (!output(p, one)) return 0;
    p->is_shown = 0;
    for (uint16_t one = p->nodes[field(p, body, F_fromClause)].first; one; one = p->nodes[one].next)
        if (!item(p, one, 0)) return 0;
    if (!grouping(p, field(p, body, F_groupClause))) return 0;
    int groups = p->group_count;
    if (!grouping(p, field(p, body, F_sortClause))) return 0;
    reverse(p->groups, 0, distinct);
    reverse(p->groups, distinct, groups);
    reverse(p->groups, groups, p->group_count);
    int joins = p->condition_count;
    if (where && !parts(p, where, 1, 1, 0)) return 0;
    p->is_shown = 1;
    if (having && !parts(p, having, 1, 0, 0)) return 0;
    p->is_shown = 0;
    reverse(p->conditions, joins, p->condition_count);
    p->grouped = !!field(p, body, F_groupClause);
    /* Distinct comes last in lineage: turn the list. */
    Numbered kept[MOST_EXPRESSIONS];
    memcpy(kept, p->groups, (size_t)distinct * sizeof *kept);
    memmove(p->groups, p->groups + distinct, (size_t)(p->group_count - distinct) * sizeof *kept);
    memcpy(p->groups + p->group_count - distinct, kept, (size_t)distinct * sizeof *kept);
    uint16_t count = field(p, body, F_limitCount);
    if (!placed(p, joins)) return 0;
    return limit(p, count) && limit(p, field(p, body, F_limitOffset)) && most(p, count, field(p, body, F_limitOption));
}

/* Whether the JSON is of one plain SELECT; then `p` is what stands in it. */
static int taken_apart(Plain *p, Bytes text, Size n) {
    Size at = 0;
    memset(&p->nodes[0], 0, sizeof p->nodes[0]);
    p->text = text, p->made = 0, p->used = 0;
    p->table_count = p->ref_count = p->call_count = p->shown_count = p->cast_count = p->operator_count = p->output_count = 0;
    p->condition_count = p->group_count = p->limit_count = p->expression_count = p->number_count = 0;
    p->is_shown = p->grouped = p->counted = p->stands_alone = 0;
    uint16_t whole = n < UINT32_MAX ? value_at(p, text, n, &at, 0) : 0;
    if (!whole || at != n || !has_only(p, whole, BIT(version) | BIT(stmts))) return 0;
    uint16_t one = p->nodes[field(p, whole, F_stmts)].first;
    if (!one || p->nodes[one].next || !has_only(p, one, BIT(stmt) | BIT(stmt_len) | BIT(stmt_location))) return 0;
    uint16_t body = fields_of(p, field(p, one, F_stmt), F_SelectStmt);
    return body && select_of(p, body);
}
