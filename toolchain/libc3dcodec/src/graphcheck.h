/* Is a serialised graph one of ours? Looked at before ONNX Runtime parses it, since ONNX can name
 * files of the host, carry functions and subgraphs, and ask for any operator. The checks are those
 * of c3d_export.runtime.graphcheck, field by field. */
#ifndef C3D_GRAPHCHECK_H
#define C3D_GRAPHCHECK_H

#include "fail.h"
#include "graphlists.h"

/* `data` is a whole serialised model. Errors: BUNDLE_GRAPH, MEMORY. */
c3d_status c3d_graph_check(const uint8_t *data, size_t size, c3d_graph graph, c3d_flavour flavour,
                           c3d_error *error);

#endif
