#include "graphlists.h"

#include "limits.h"

size_t c3d_element_bytes(uint64_t type)
{
    switch (type) {
    case C3D_FLOAT:
    case C3D_INT32: return 4;
    case C3D_UINT8:
    case C3D_INT8: return 1;
    case C3D_INT64: return 8;
    default: return 0;
    }
}

const c3d_ports c3d_graph_ports[C3D_GRAPHS] = {
    {"g_a", {{"patches", C3D_UINT8}, {"blocks", C3D_UINT8}},
     {{"head_sum", C3D_INT32}, {"linear_sum", C3D_INT32}, {NULL, 0}}},
    {"h_a", {{"activity", C3D_UINT8}, {NULL, 0}}, {{"z", C3D_UINT8}, {NULL, 0}, {NULL, 0}}},
    {"h_s", {{"z_hat", C3D_UINT8}, {NULL, 0}},
     {{"features", C3D_UINT8}, {"index", C3D_UINT8}, {"mean", C3D_UINT8}}},
    {"g_cp", {{"features", C3D_UINT8}, {"known", C3D_UINT8}},
     {{"index", C3D_UINT8}, {"mean", C3D_UINT8}, {NULL, 0}}},
    {"g_ep", {{"features", C3D_UINT8}, {"known", C3D_UINT8}},
     {{"index", C3D_UINT8}, {"mean", C3D_UINT8}, {NULL, 0}}},
    {"g_s", {{"v", C3D_UINT8}, {"spread", C3D_UINT8}},
     {{"correction_out", C3D_UINT8}, {"pixels_sum", C3D_INT32}, {NULL, 0}}},
};

const char *const c3d_flavour_names[2] = {"qlinear", "float"};

size_t c3d_port_count(const c3d_port *ports, size_t most)
{
    size_t count = 0;
    while (count < most && ports[count].name != NULL)
        count++;
    return count;
}

enum { INT = C3D_ATTRIBUTE_INT, STRING = C3D_ATTRIBUTE_STRING, INTS = C3D_ATTRIBUTE_INTS };
enum { QLINEAR = 1 << C3D_FLAVOUR_QLINEAR, FLOAT = 1 << C3D_FLAVOUR_FLOAT, BOTH = QLINEAR | FLOAT };

#define NO_ATTRIBUTES {{NULL, 0, 0}}
#define ONE_ATTRIBUTE(name, type) {{name, type, 0}}
/* Depthwise convolutions have a group and others have not. */
#define CONVOLUTION \
    {"group", INT, C3D_MAX_GRAPH_GROUPS}, {"kernel_shape", INTS, 0}, {"pads", INTS, 0}, \
        {"strides", INTS, 0}

const c3d_operator c3d_operators[] = {
    {"Add", "", BOTH, NO_ATTRIBUTES},
    {"Cast", "", FLOAT, ONE_ATTRIBUTE("to", INT)},
    {"Clip", "", FLOAT, NO_ATTRIBUTES},
    {"Concat", "", BOTH, ONE_ATTRIBUTE("axis", INT)},
    {"Conv", "", FLOAT, {CONVOLUTION}},
    {"DepthToSpace", "", FLOAT, {{"blocksize", INT, 0}, {"mode", STRING, 0}}},
    {"Identity", "", QLINEAR, NO_ATTRIBUTES},
    {"MatMul", "", FLOAT, NO_ATTRIBUTES},
    {"MatMulInteger", "", QLINEAR, NO_ATTRIBUTES},
    {"Mul", "", BOTH, NO_ATTRIBUTES},
    {"QLinearAdd", "com.microsoft", QLINEAR, NO_ATTRIBUTES},
    {"QLinearConv", "com.microsoft", QLINEAR, {CONVOLUTION, {"channels_last", INT, 0}}},
    {"Reshape", "", BOTH, NO_ATTRIBUTES},
    {"Round", "", FLOAT, NO_ATTRIBUTES},
    {"Shape", "", QLINEAR, NO_ATTRIBUTES},
    {"Sub", "", FLOAT, NO_ATTRIBUTES},
    {"Transpose", "", BOTH, ONE_ATTRIBUTE("perm", INTS)},
};
const size_t c3d_operator_count = sizeof c3d_operators / sizeof *c3d_operators;

enum { I = C3D_WIRE_INTEGER, B = C3D_WIRE_BYTES };

const c3d_message c3d_model_message = {"the model", {{1, I}, {2, B}, {7, B}, {8, B}}};
const c3d_message c3d_opset_message = {"an opset", {{1, B}, {2, I}}};
const c3d_message c3d_graph_message = {"the graph", {{1, B}, {2, B}, {5, B}, {11, B}, {12, B}}};
const c3d_message c3d_node_message = {"a node",
                                      {{1, B}, {2, B}, {3, B}, {4, B}, {5, B}, {7, B}}};
const c3d_message c3d_attribute_message = {"an attribute",
                                           {{1, B}, {3, I}, {4, B}, {8, I}, {20, I}}};
const c3d_message c3d_tensor_message = {"an initialiser", {{1, I}, {2, I}, {8, B}, {9, B}}};
const c3d_message c3d_value_info_message = {"an input or output", {{1, B}, {2, B}}};
const c3d_message c3d_type_message = {"a type", {{1, B}}};
const c3d_message c3d_tensor_type_message = {"a tensor type", {{1, I}, {2, B}}};
const c3d_message c3d_shape_message = {"a shape", {{1, B}}};
const c3d_message c3d_dimension_message = {"a dimension", {{1, I}, {2, B}}};
