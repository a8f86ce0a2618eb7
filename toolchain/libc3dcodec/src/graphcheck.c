/* Protobuf merges what is concatenated, and the last of several values counts. A model may come in
 * several parts (nodes, then weights); no single value may stand twice, so that what is checked is
 * what is used. */
#include "graphcheck.h"

#include <stdlib.h>
#include <string.h>

#include "graphnames.h"
#include "graphports.h"
#include "limits.h"

enum { IR_VERSION = 8, OPSETS = 2 };
/* Numbers of fields. */
enum { MODEL_IR = 1, MODEL_PRODUCER = 2, MODEL_GRAPH = 7 };
enum { GRAPH_NODE = 1, GRAPH_NAME = 2, GRAPH_TENSOR = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12 };
enum { TENSOR_DIM = 1, TENSOR_TYPE = 2, TENSOR_NAME = 8, TENSOR_DATA = 9 };

typedef struct {
    c3d_wire wire;
    const c3d_ports *ports;
    unsigned flavour;
    c3d_names names; /* that a node may use: initialisers, inputs, what nodes before it made */
    size_t count;
    c3d_field fields[C3D_MAX_GRAPH_FIELDS]; /* of all parts of the graph */
} checker;

static int keep_graph(checker *c, const c3d_field *part)
{
    c3d_cursor cursor = c3d_wire_open(&c->wire, &c3d_graph_message, part->begin, part->end);
    int more;
    while ((more = c3d_wire_next(&cursor, &c->fields[c->count])) == 1)
        c->count++; /* the wire lets no more through than there is room for */
    return more == 0;
}

static int check_opset(checker *c, const c3d_field *part, unsigned *seen)
{
    c3d_field domain = {0}, version = {0}, field;
    c3d_cursor cursor = c3d_wire_open(&c->wire, &c3d_opset_message, part->begin, part->end);
    int more;
    while ((more = c3d_wire_next(&cursor, &field)) == 1) {
        c3d_field *kept = field.number == 1 ? &domain : &version;
        if (kept->number != 0)
            return c3d_wire_twice(&c->wire);
        *kept = field;
    }
    if (more < 0)
        return 0;
    const int own = domain.number == 0 || c3d_field_is(&domain, "");
    const int is_ours = own ? version.value == 17
                            : c3d_field_is(&domain, "com.microsoft") && version.value == 1;
    const unsigned bit = own ? 1 : 2;
    if (!is_ours || (*seen & bit) != 0)
        return c3d_wire_fault(&c->wire, "uses other sets of operators than ours");
    *seen |= bit;
    return 1;
}

static int check_model(checker *c, const uint8_t *data, size_t size)
{
    c3d_field version = {0}, producer = {0}, field;
    c3d_cursor cursor = c3d_wire_open(&c->wire, &c3d_model_message, data, data + size);
    unsigned opsets = 0;
    int more;
    if (size >= 8 && memcmp(data + 4, "ORTM", 4) == 0)
        return c3d_wire_fault(&c->wire, "is no ONNX, but a format of ONNX Runtime itself");
    while ((more = c3d_wire_next(&cursor, &field)) == 1) {
        if (field.number == MODEL_IR || field.number == MODEL_PRODUCER) {
            c3d_field *kept = field.number == MODEL_IR ? &version : &producer;
            if (kept->number != 0)
                return c3d_wire_twice(&c->wire);
            *kept = field;
        } else if (!(field.number == MODEL_GRAPH ? keep_graph(c, &field)
                                                 : check_opset(c, &field, &opsets))) {
            return 0;
        }
    }
    if (more < 0)
        return 0;
    if (version.value != IR_VERSION)
        return c3d_wire_fault(&c->wire, "has another version of ONNX's format than 8");
    if (!c3d_field_is(&producer, "c3d-export"))
        return c3d_wire_fault(&c->wire, "was written by another program");
    return opsets == 3 || c3d_wire_fault(&c->wire, "uses other sets of operators than ours");
}

/* The data fill the shape exactly; the product cannot overflow, since it never passes the limit. */
static int check_tensor(checker *c, const c3d_field *dims, size_t rank, const c3d_field *found)
{
    const c3d_field *name = &found[TENSOR_NAME];
    const size_t size = (size_t)(found[TENSOR_DATA].end - found[TENSOR_DATA].begin);
    size_t total = c3d_element_bytes(found[TENSOR_TYPE].value);
    int fits = size <= C3D_MAX_TENSOR_BYTES;
    if (total == 0)
        return c3d_wire_fault(&c->wire, "has an initialiser of a type that is not allowed, %.*s",
                              C3D_SHOWN(name));
    for (size_t i = 0; i < rank && fits; i++) {
        fits = dims[i].value >= 1 && dims[i].value <= C3D_MAX_TENSOR_BYTES / total;
        total *= fits ? (size_t)dims[i].value : 1;
    }
    return (fits && total == size) ||
           c3d_wire_fault(&c->wire, "has an initialiser beyond the limits, or whose data do not"
                          " fill its shape, %.*s", C3D_SHOWN(name));
}

static int check_initializer(checker *c, const c3d_field *part)
{
    c3d_field dims[C3D_MAX_TENSOR_RANK], found[TENSOR_DATA + 1] = {0}, field;
    c3d_cursor cursor = c3d_wire_open(&c->wire, &c3d_tensor_message, part->begin, part->end);
    size_t rank = 0;
    int more;
    while ((more = c3d_wire_next(&cursor, &field)) == 1) {
        if (field.number == TENSOR_DIM) {
            if (rank == C3D_MAX_TENSOR_RANK)
                return c3d_wire_fault(&c->wire, "has an initialiser of more than four axes");
            dims[rank++] = field;
        } else if (found[field.number].number != 0) {
            return c3d_wire_twice(&c->wire);
        } else {
            found[field.number] = field;
        }
    }
    if (more < 0)
        return 0;
    if (found[TENSOR_TYPE].number == 0 || found[TENSOR_NAME].number == 0 ||
        found[TENSOR_DATA].number == 0)
        return c3d_wire_fault(&c->wire, "has an initialiser without type, name or data");
    return c3d_names_add(&c->names, &c->wire, &found[TENSOR_NAME]) &&
           (c->names.count <= C3D_MAX_GRAPH_INITIALIZERS ||
            c3d_wire_fault(&c->wire, "has more than %u initialisers",
                           C3D_MAX_GRAPH_INITIALIZERS)) &&
           check_tensor(c, dims, rank, found);
}

static int check_ports(checker *c, unsigned number, const c3d_port *ports, size_t most)
{
    const size_t wanted = c3d_port_count(ports, most);
    size_t count = 0;
    unsigned seen = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->fields[i].number != number)
            continue;
        count++;
        if (!c3d_check_port(&c->wire, &c->fields[i], ports, wanted, &seen))
            return 0;
    }
    return (count == wanted && seen == (1u << wanted) - 1) ||
           c3d_wire_fault(&c->wire, "has other inputs or outputs than ours");
}

/* All fields of the graph with one number. */
static int each(checker *c, unsigned number, size_t most,
                int (*check)(checker *, const c3d_field *))
{
    size_t count = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->fields[i].number != number)
            continue;
        if (++count > most)
            return c3d_wire_fault(&c->wire, "has more than %zu nodes", most);
        if (!check(c, &c->fields[i]))
            return 0;
    }
    return 1;
}

static int check_node(checker *c, const c3d_field *part)
{
    return c3d_check_node(&c->wire, &c->names, c->flavour, part);
}

static int check_name(checker *c, const c3d_field *part)
{
    return c3d_field_is(part, c->ports->name) ||
           c3d_wire_fault(&c->wire, "is not the one that its place is for");
}

static int has(const checker *c, unsigned number)
{
    size_t i = 0;
    while (i < c->count && c->fields[i].number != number)
        i++;
    return i < c->count;
}

static int check_graph(checker *c)
{
    if (!has(c, GRAPH_NAME) || !has(c, GRAPH_NODE))
        return c3d_wire_fault(&c->wire, "has no name or no nodes");
    if (!each(c, GRAPH_NAME, 1, check_name) ||
        !each(c, GRAPH_TENSOR, C3D_MAX_GRAPH_FIELDS, check_initializer) ||
        !check_ports(c, GRAPH_INPUT, c->ports->inputs, C3D_MOST_INPUTS))
        return 0;
    for (size_t i = 0; i < c3d_port_count(c->ports->inputs, C3D_MOST_INPUTS); i++)
        if (!c3d_names_add_text(&c->names, c->ports->inputs[i].name))
            return c3d_wire_fault(&c->wire, "gives an input a value of its own");
    if (!each(c, GRAPH_NODE, C3D_MAX_GRAPH_NODES, check_node) ||
        !check_ports(c, GRAPH_OUTPUT, c->ports->outputs, C3D_MOST_OUTPUTS))
        return 0;
    for (size_t i = 0; i < c3d_port_count(c->ports->outputs, C3D_MOST_OUTPUTS); i++)
        if (!c3d_names_has_text(&c->names, c->ports->outputs[i].name))
            return c3d_wire_fault(&c->wire, "has an output that no node makes");
    return 1;
}

c3d_status c3d_graph_check(const uint8_t *data, size_t size, c3d_graph graph, c3d_flavour flavour,
                           c3d_error *error)
{
    checker *c = calloc(1, sizeof *c);
    if (c == NULL)
        return c3d_fail(error, C3D_ERR_MEMORY, "no memory to check a graph; free some");
    c->wire.left = C3D_MAX_GRAPH_FIELDS;
    c->ports = &c3d_graph_ports[graph];
    c->flavour = 1u << flavour;
    c3d_status status = C3D_OK;
    if (!check_model(c, data, size) || !check_graph(c))
        status = c3d_fail(error, C3D_ERR_BUNDLE_GRAPH,
                          "graph %s (%s) of the bundle %s; get the bundle again from its maker",
                          c->ports->name, c3d_flavour_names[flavour], c->wire.fault);
    free(c);
    return status;
}
