/* Names of a graph's values, and the check of a node, which uses and makes them. */
#ifndef C3D_GRAPHNAMES_H
#define C3D_GRAPHNAMES_H

#include "graphlists.h"
#include "limits.h"

/* Twice as many as initialisers, inputs and the outputs of all nodes can be. */
enum { C3D_NAME_SLOTS = 1 << 15 };

/* An open hash table; begins as zeros. The names stay where they are. */
typedef struct {
    size_t count;
    struct {
        const uint8_t *begin;
        size_t length;
    } slots[C3D_NAME_SLOTS];
} c3d_names;

/* Adds a name; 0 with a fault where it is too long or there already. */
int c3d_names_add(c3d_names *names, c3d_wire *wire, const c3d_field *name);

/* As c3d_names_add without a fault. */
int c3d_names_add_text(c3d_names *names, const char *name);

int c3d_names_has_text(const c3d_names *names, const char *name);

/* Nodes stand in the order in which they can run, and each value is made once. `flavour` is a
 * bit; 0 with the wire's fault set where the node is none of ours. */
int c3d_check_node(c3d_wire *wire, c3d_names *names, unsigned flavour, const c3d_field *part);

#endif
