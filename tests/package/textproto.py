"""A small reader of protobuf's text format, and of what config.pbtxt says in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|[A-Za-z_][\w.]*|-?\d+(?:\.\d+)?|[{}\[\]:,])')

Message = dict[str, list[Any]]
"""Field -> all of its values, in order: messages are of this kind, the rest text and integers."""


def parse(text: str) -> Message:
    """Raises ValueError for what is not the text format."""
    tokens, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"unexpected text at {text[place : place + 30]!r}")
        tokens.append(match[1])
        place = match.end()
    message, rest = _fields(tokens)
    if rest:
        raise ValueError(f"unexpected {rest[0]!r}")
    return message


def _fields(tokens: list[str]) -> tuple[Message, list[str]]:
    message: Message = {}
    while tokens and tokens[0] != "}":
        name, tokens = tokens[0], tokens[1:]
        if not name.isidentifier():
            raise ValueError(f"{name!r} is no field")
        colon = tokens[:1] == [":"]
        values, tokens = _values(tokens[colon:], colon)
        message.setdefault(name, []).extend(values)
    return message, tokens


def _values(tokens: list[str], colon: bool) -> tuple[list[Any], list[str]]:
    if tokens[0] == "[":
        values, tokens = [], tokens[1:]
        while tokens[0] != "]":
            value, tokens = _value(tokens, colon)
            values.append(value)
            tokens = tokens[tokens[0] == "," :]
        return values, tokens[1:]
    value, tokens = _value(tokens, colon)
    return [value], tokens


def _value(tokens: list[str], colon: bool) -> tuple[Any, list[str]]:
    if tokens[0] == "{":
        message, tokens = _fields(tokens[1:])
        if tokens[:1] != ["}"]:
            raise ValueError("a message has no end")
        return message, tokens[1:]
    if not colon:
        raise ValueError(f"{tokens[0]!r} follows a field without a colon")
    text = tokens[0]
    value = text[1:-1] if text[0] == '"' else int(text) if text.lstrip("-").isdigit() else text
    return value, tokens[1:]


@dataclass(frozen=True)
class Port:
    name: str
    data_type: str
    dims: list[int]

    def fits(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == len(self.dims) and all(
            wanted in (-1, size) for wanted, size in zip(self.dims, shape, strict=True)
        )


def ports(config: Message, side: str) -> list[Port]:
    """side: input or output."""
    return [Port(p["name"][0], p["data_type"][0], p["dims"]) for p in config[side]]


def pairs(entries: list[Message]) -> dict[str, Any]:
    """A map field."""
    return {entry["key"][0]: entry["value"][0] for entry in entries}


def cuda_options(config: Message) -> dict[str, str]:
    """What Triton's backend gives ONNX Runtime for the provider, by its src/onnxruntime.cc: the
    options of the accelerator; and then, from `parameters` or by default, these over them."""
    gpu = config["optimization"][0]["execution_accelerators"][0]["gpu_execution_accelerator"]
    (accelerator,) = gpu
    assert accelerator["name"] == ["cuda"]
    options: dict[str, str] = pairs(accelerator["parameters"])
    given = {k: v["string_value"][0] for k, v in pairs(config["parameters"]).items()}
    search = ("EXHAUSTIVE", "HEURISTIC", "DEFAULT")[int(given.get("cudnn_conv_algo_search", "0"))]
    copies = given.get("do_copy_in_default_stream", "1")
    return {**options, "cudnn_conv_algo_search": search, "do_copy_in_default_stream": copies}
