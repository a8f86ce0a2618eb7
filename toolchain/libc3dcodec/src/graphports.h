/* The check of a graph's inputs and outputs. */
#ifndef C3D_GRAPHPORTS_H
#define C3D_GRAPHPORTS_H

#include "graphlists.h"

/* Which of the `count` ports this input or output (1, h, w, C) is: its bit is set in *seen, none
 * where it is another. 0 with the wire's fault set where it is malformed. */
int c3d_check_port(c3d_wire *wire, const c3d_field *part, const c3d_port *ports, size_t count,
                   unsigned *seen);

#endif
