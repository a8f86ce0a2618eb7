#include "graphports.h"

#include "limits.h"

/* The one field of a message that has exactly these, once each: numbers 1 and, if `both`, 2. */
static int require(c3d_wire *wire, const c3d_message *message, const c3d_field *part, int both,
                   c3d_field found[3])
{
    c3d_field field;
    c3d_cursor cursor = c3d_wire_open(wire, message, part->begin, part->end);
    int more;
    found[1].number = found[2].number = 0;
    while ((more = c3d_wire_next(&cursor, &field)) == 1) {
        if (found[field.number].number != 0)
            return c3d_wire_twice(wire);
        found[field.number] = field;
    }
    if (more < 0)
        return 0;
    if (found[1].number == 0 || (both && found[2].number == 0))
        return c3d_wire_fault(wire, "has %s that is not complete", message->name);
    return 1;
}

static int check_shape(c3d_wire *wire, const c3d_field *part)
{
    c3d_field dim, field;
    c3d_cursor dims = c3d_wire_open(wire, &c3d_shape_message, part->begin, part->end);
    size_t rank = 0;
    int more;
    for (; (more = c3d_wire_next(&dims, &dim)) == 1; rank++) {
        c3d_cursor cursor = c3d_wire_open(wire, &c3d_dimension_message, dim.begin, dim.end);
        int within;
        while ((within = c3d_wire_next(&cursor, &field)) == 1)
            if (field.number == 2 && !c3d_wire_short(wire, &field, C3D_MAX_GRAPH_NAME_BYTES))
                return 0;
        if (within < 0)
            return 0;
    }
    if (more < 0)
        return 0;
    return rank == C3D_MAX_TENSOR_RANK ||
           c3d_wire_fault(wire, "has an input or output that is not (1, h, w, C)");
}

int c3d_check_port(c3d_wire *wire, const c3d_field *part, const c3d_port *ports, size_t count,
                   unsigned *seen)
{
    c3d_field info[3], type[3], tensor[3];
    if (!require(wire, &c3d_value_info_message, part, 1, info) ||
        !require(wire, &c3d_type_message, &info[2], 0, type) ||
        !require(wire, &c3d_tensor_type_message, &type[1], 1, tensor) ||
        !check_shape(wire, &tensor[2]))
        return 0;
    for (size_t i = 0; i < count; i++)
        if (c3d_field_is(&info[1], ports[i].name) && tensor[1].value == ports[i].type)
            *seen |= 1u << i;
    return 1;
}
