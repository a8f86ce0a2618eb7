"""Is a serialised graph one of ours? Looked at before ONNX Runtime parses it.

A bundle comes from outside. ONNX can name files of the host (external data), carry functions and
subgraphs, and ask for any of hundreds of operators; ours do none of that. So what is not on the
lists below is refused, field by field: operators with their attributes, types, sizes and names.
The wire format of protobuf is read here, since a host has no `onnx`.

Protobuf merges what is concatenated, and the last of several values counts. A model may come in
several parts (nodes, then weights); inside a part no single value may stand twice, so that what
is checked is what is used.
"""

from __future__ import annotations

from typing import NoReturn

from ..core.errors import BundleGraphError
from ..core.limits import (
    MAX_ATTRIBUTE_VALUE,
    MAX_ATTRIBUTE_VALUES,
    MAX_GRAPH_GROUPS,
    MAX_GRAPH_INITIALIZERS,
    MAX_GRAPH_NAME_BYTES,
    MAX_GRAPH_NODES,
    MAX_NODE_VALUES,
    MAX_TENSOR_BYTES,
    MAX_TENSOR_RANK,
)
from .graphlists import (
    ATTRIBUTE,
    DIMENSION,
    ELEMENT_BYTES,
    GRAPH,
    HYPERPRIOR_OPERATORS,
    HYPERPRIOR_PORTS,
    INT64,
    IR_VERSION,
    MODEL,
    NODE,
    OPERATORS,
    OPSET,
    OPSETS,
    OPTIONAL,
    PORTS,
    PRODUCER,
    SHAPE,
    TENSOR,
    TENSOR_TYPE,
    TYPE,
    VALUE_FIELDS,
    VALUE_INFO,
    Attributes,
    Operators,
    Ports,
)
from .wire import Field, Wire, WireError


def check_graph(data: bytes, graph: str, flavour: str) -> None:
    """Raises BundleGraphError unless `data` is a model that this package may have written.

    data: a whole serialised ModelProto. graph: key of PORTS. flavour: key of OPERATORS. Time and
    memory are bounded by MAX_GRAPH_FIELDS, whatever the bytes are; tensors are not copied.
    """
    check_model(data, f"{graph} ({flavour})", graph, PORTS[graph], OPERATORS[flavour])


def check_hyperprior_graph(data: bytes, graph: str) -> None:
    """The same for a graph of a bundle with float transforms; graph: key of HYPERPRIOR_PORTS."""
    ports = HYPERPRIOR_PORTS[graph]
    check_model(data, f"{graph} (float)", graph, ports, HYPERPRIOR_OPERATORS)


def check_model(
    data: bytes, title: str, graph: str, ports: tuple[Ports, Ports], operators: Operators
) -> None:
    """As `check_graph`, for a graph of other inputs and outputs (`ports`) and `operators`.

    title: what messages call it. graph: its name in the model.
    """
    try:
        _Checker(data, graph, ports, operators).check()
    except WireError as error:
        raise BundleGraphError(
            f"graph {title} of the bundle {error}; get the bundle again from its maker"
        ) from error


def _refuse(fault: str) -> NoReturn:
    raise WireError(fault)


def _of(fields: list[Field], name: str) -> list[Field]:
    return [field for field in fields if field[0] == name]


def _single(fields: list[Field]) -> dict[str, Field]:
    """Fields by name; none may stand twice."""
    found = {field[0]: field for field in fields}
    if len(found) != len(fields):
        _refuse("gives a single value twice")
    return found


class _Checker:
    """Walks one model and keeps what has to be unique or complete."""

    def __init__(
        self, data: bytes, graph: str, ports: tuple[Ports, Ports], operators: Operators
    ) -> None:
        self._wire = Wire(data)
        self._graph = graph.encode()
        self._operators = operators
        self._inputs, self._outputs = ports
        # Values that a node may use: initialisers, inputs, and what the nodes before it made.
        self._names: set[bytes] = set()

    def check(self) -> None:
        wire = self._wire
        if wire.data[4:8] == b"ORTM":
            _refuse("is no ONNX, but a format of ONNX Runtime itself")
        fields = wire.fields(0, len(wire.data), MODEL)
        graphs, opsets = _of(fields, "graph"), _of(fields, "opset_import")
        found = _single([field for field in fields if field[0] not in ("graph", "opset_import")])
        if found.get("ir_version", ("", 0, 0))[1] != IR_VERSION:
            _refuse(f"has another version of ONNX's format than {IR_VERSION}")
        if "producer_name" not in found or wire.text(found["producer_name"]) != PRODUCER:
            _refuse("was written by another program")
        self._check_opsets(opsets)
        self._check_graphs(graphs)

    def _check_opsets(self, opsets: list[Field]) -> None:
        found: dict[bytes, int] = {}
        for _, begin, end in opsets:
            opset = _single(self._wire.fields(begin, end, OPSET))
            domain = self._wire.text(opset["domain"]) if "domain" in opset else b""
            found[domain] = opset["version"][1] if "version" in opset else 0
        if found != OPSETS or len(opsets) != len(OPSETS):
            _refuse("uses other sets of operators than ours")

    def _check_graphs(self, graphs: list[Field]) -> None:
        """All parts together are the graph."""
        fields = [f for _, begin, end in graphs for f in self._wire.fields(begin, end, GRAPH)]
        names = [self._wire.text(field) for field in fields if field[0] == "name"]
        if names != [self._graph]:
            _refuse("is not the one that its place is for")
        for _, begin, end in _of(fields, "initializer"):
            self._check_initializer(begin, end)
        self._check_ports(_of(fields, "input"), self._inputs)
        if self._names & self._inputs.keys():
            _refuse("gives an input a value of its own")
        self._names |= self._inputs.keys()
        nodes = _of(fields, "node")
        if not 1 <= len(nodes) <= MAX_GRAPH_NODES:
            _refuse(f"has no nodes or more than {MAX_GRAPH_NODES}")
        for _, begin, end in nodes:
            self._check_node(begin, end)
        self._check_ports(_of(fields, "output"), self._outputs)
        if not self._outputs.keys() <= self._names:
            _refuse("has an output that no node makes")

    def _check_node(self, begin: int, end: int) -> None:
        """Nodes stand in the order in which they can run, and each value is made once."""
        wire, made = self._wire, []
        attributes, rest = [], []
        fields = wire.fields(begin, end, NODE)
        for field in fields:
            name = field[0]
            if name == "input":
                if wire.text(field) not in self._names:
                    _refuse(
                        f"has a node that needs {_shown(wire.text(field))}, which nothing makes"
                    )
            elif name == "output":
                made.append(wire.text(field))
            elif name == "attribute":
                attributes.append(field)
            else:
                rest.append(field)
        if len(fields) - len(attributes) - len(rest) > MAX_NODE_VALUES:
            _refuse(f"has a node with more than {MAX_NODE_VALUES} inputs and outputs")
        for value in made:
            if value in self._names:
                _refuse(f"makes {_shown(value)} twice")
            self._names.add(value)
        self._check_operator(_single(rest), attributes)

    def _check_operator(self, found: dict[str, Field], attributes: list[Field]) -> None:
        wire = self._wire
        kind = wire.text(found["op_type"]) if "op_type" in found else b""
        domain = wire.text(found["domain"]) if "domain" in found else b""
        if "name" in found:
            wire.require_short(found["name"], MAX_GRAPH_NAME_BYTES)
        allowed = self._operators.get((kind, domain))
        if allowed is None:
            _refuse(f"has an operator that is not allowed, {_shown(domain, kind)}")
        names = {self._check_attribute(begin, end, allowed) for _, begin, end in attributes}
        if len(names) != len(attributes) or names - OPTIONAL != allowed.keys() - OPTIONAL:
            _refuse(f"has operator {_shown(domain, kind)} with other attributes than ours")

    def _check_attribute(self, begin: int, end: int, allowed: Attributes) -> bytes:
        wire = self._wire
        fields = wire.fields(begin, end, ATTRIBUTE)
        rest = _single([field for field in fields if field[0] != "ints"])
        name = wire.text(rest.pop("name")) if "name" in rest else b""
        kind = allowed.get(name)
        if kind is None or rest.pop("type", ("", 0, 0))[1] != kind:
            _refuse(f"has an attribute that is not allowed, {_shown(name)}")
        values = [value for field, value, _ in fields if field in ("i", "ints")]
        used = {"ints"} if len(values) > ("i" in rest) else set()
        if rest.keys() | used != {VALUE_FIELDS[kind]}:
            _refuse(f"has no fitting value for attribute {_shown(name)}")
        most = MAX_GRAPH_GROUPS if name in OPTIONAL else MAX_ATTRIBUTE_VALUE
        if len(values) > MAX_ATTRIBUTE_VALUES or max(values, default=0) > most:
            _refuse(f"has values beyond the limits in attribute {_shown(name)}")
        if "s" in rest:
            wire.require_short(rest["s"], MAX_ATTRIBUTE_VALUES)
        return name

    def _check_initializer(self, begin: int, end: int) -> None:
        wire = self._wire
        fields = wire.fields(begin, end, TENSOR)
        found = _single([field for field in fields if field[0] != "dims"])
        if found.keys() != {"data_type", "name", "raw_data"}:
            _refuse("has an initialiser without type, name or data")
        name = wire.text(found["name"])
        if name in self._names:
            _refuse(f"has two initialisers of one name, {_shown(name)}")
        self._names.add(name)
        if len(self._names) > MAX_GRAPH_INITIALIZERS:
            _refuse(f"has more than {MAX_GRAPH_INITIALIZERS} initialisers")
        _, start, stop = found["raw_data"]
        dims = [value for field, value, _ in fields if field == "dims"]
        _check_tensor(_shown(name), found["data_type"][1], dims, stop - start)

    def _check_ports(self, fields: list[Field], wanted: Ports) -> None:
        if len(fields) != len(wanted):
            _refuse("has another number of inputs or outputs than ours")
        if dict(self._port(begin, end) for _, begin, end in fields) != wanted:
            _refuse("has other inputs or outputs than ours")

    def _port(self, begin: int, end: int) -> tuple[bytes, int]:
        """Name and element type of an input or output (1, h, w, C)."""
        wire = self._wire
        info = wire.require(begin, end, VALUE_INFO, {"name", "type"})
        kind = wire.require(*info["type"][1:], TYPE, {"tensor_type"})
        tensor = wire.require(*kind["tensor_type"][1:], TENSOR_TYPE, {"elem_type", "shape"})
        dims = wire.fields(*tensor["shape"][1:], SHAPE)
        for _, first, last in dims:
            for dim in wire.fields(first, last, DIMENSION):
                if dim[0] == "dim_param":
                    wire.require_short(dim, MAX_GRAPH_NAME_BYTES)
        element = tensor["elem_type"][1]
        # Whole numbers of 64 bits say which rows are meant (`deploy/c2f/graphs.py`).
        if len(dims) != (1 if element == INT64 else MAX_TENSOR_RANK):
            _refuse("has an input or output that is not (1, h, w, C)")
        return wire.text(info["name"]), element


def _check_tensor(name: str, kind: int, dims: list[int], size: int) -> None:
    """The data fill the shape exactly; the product stays small, since each factor is checked."""
    if kind not in ELEMENT_BYTES:
        _refuse(f"has an initialiser of a type that is not allowed, {name}")
    if size > MAX_TENSOR_BYTES or len(dims) > MAX_TENSOR_RANK:
        _refuse(f"has an initialiser beyond the limits, {name}")
    total = ELEMENT_BYTES[kind]
    for dim in dims:
        if not 1 <= dim <= MAX_TENSOR_BYTES:
            _refuse(f"has an initialiser beyond the limits, {name}")
        total *= dim
    if total != size:
        _refuse(f"has an initialiser whose data do not fill its shape, {name}")


def _shown(*parts: bytes) -> str:
    """Names from outside, fit for a message."""
    return ".".join(repr(part.decode("ascii", "replace")[:40]) for part in parts if part) or "''"
