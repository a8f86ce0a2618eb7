/* What a graph of a bundle may hold: c3d_export.runtime.graphlists. */
#ifndef C3D_GRAPHLISTS_H
#define C3D_GRAPHLISTS_H

#include "c3d_codec.h"
#include "wire.h"

typedef enum { C3D_G_A, C3D_H_A, C3D_H_S, C3D_G_CP, C3D_G_EP, C3D_G_S, C3D_GRAPHS } c3d_graph;

/* Element types of ONNX, by its numbers. */
enum { C3D_FLOAT = 1, C3D_UINT8 = 2, C3D_INT8 = 3, C3D_INT32 = 6, C3D_INT64 = 7 };

/* Bytes of one element, 0 for a type that is not allowed. */
size_t c3d_element_bytes(uint64_t type);

enum { C3D_MOST_INPUTS = 2, C3D_MOST_OUTPUTS = 3 };

typedef struct {
    const char *name; /* null behind the last */
    unsigned type;
} c3d_port;

/* Names of a graph, its inputs, and its outputs in the order of their names. */
typedef struct {
    const char *name;
    c3d_port inputs[C3D_MOST_INPUTS], outputs[C3D_MOST_OUTPUTS];
} c3d_ports;

extern const c3d_ports c3d_graph_ports[C3D_GRAPHS];
extern const char *const c3d_flavour_names[2];

/* How many of `most` ports there are. */
size_t c3d_port_count(const c3d_port *ports, size_t most);

enum { C3D_ATTRIBUTE_INT = 2, C3D_ATTRIBUTE_STRING = 3, C3D_ATTRIBUTE_INTS = 7 };
enum { C3D_MOST_ATTRIBUTES = 5 };

typedef struct {
    const char *kind, *domain;
    unsigned flavours; /* a bit for each that may use it */
    struct {
        const char *name; /* null behind the last */
        unsigned type;
        unsigned optional; /* one that may lack has a limit of its own, else 0 */
    } attributes[C3D_MOST_ATTRIBUTES];
} c3d_operator;

extern const c3d_operator c3d_operators[];
extern const size_t c3d_operator_count;

/* The messages of ONNX, with the fields that we write. */
extern const c3d_message c3d_model_message, c3d_opset_message, c3d_graph_message, c3d_node_message,
    c3d_attribute_message, c3d_tensor_message, c3d_value_info_message, c3d_type_message,
    c3d_tensor_type_message, c3d_shape_message, c3d_dimension_message;

#endif
