"""Bundles that are damaged or forged, each list in another way."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from c3d_export.core.limits import MAX_SIGNATURES
from c3d_export.runtime.archive import pack_archive, unpack_archive
from c3d_export.runtime.bundle import MANIFEST
from c3d_export.runtime.signatures import MEMBER as SIGNATURES
from c3d_export.runtime.signatures import Signature, pack_signatures

from .host import GOLDEN

Repack = Callable[..., bytes]
Manifest = dict[str, Any]
Edit = Callable[[Manifest], object]

GOOD = (GOLDEN / "tiny.c3b").read_bytes()


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def _array(name: str) -> Any:
    return np.load(io.BytesIO(unpack_archive(GOOD)[f"arrays/{name}.npy"])).copy()


def flipped() -> list[bytes]:
    """Single bits: anywhere, and more of them in the list at the end and in the first head."""
    rng = np.random.default_rng(5)
    begin = GOOD.index(b"PK\1\2")
    places = [*rng.integers(0, len(GOOD), 60), *rng.integers(begin, len(GOOD), 120), *range(0, 60)]
    changed = []
    for place in places:
        data = bytearray(GOOD)
        data[place] ^= 1 << int(rng.integers(8))
        changed.append(bytes(data))
    cut = [GOOD[:n] for n in (0, 1, 21, 22, 1000, len(GOOD) - 1)]
    return [
        *changed,
        *cut,
        GOOD + b"\0",
        b"\0" + GOOD,
        b"PK\5\6" + bytes(18),
        b"PK\5\6" + bytes(17),
    ]


def archives() -> list[bytes]:
    """Zips that are sound and not the one valid form."""
    parts = unpack_archive(GOOD)
    found = []
    for change in (
        {"compress_type": zipfile.ZIP_DEFLATED},
        {"date_time": (1981, 1, 1, 0, 0, 0)},
        {"create_system": 0},
        {"external_attr": 0o755 << 16},
        {"comment": b"x"},
        {"extra": b"\x01\x00\x00\x00"},
    ):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in sorted(parts):
                info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                info.create_system, info.external_attr = 3, 0o644 << 16
                for field, value in change.items():
                    setattr(info, field, value)
                archive.writestr(info, parts[name])
        found.append(buffer.getvalue())
    names = ("Upper.bin", "a/b/c.bin", "../a.bin", "a.b.c", "noending", "a/.bin", "a b.bin")
    found += [pack_archive({**parts, "n" * n + ".bin": b"x"}) for n in (97, 40_000)]
    found += [pack_archive({**parts, name: b"x"}) for name in names]
    found.append(pack_archive({**parts, **{f"m{i}.bin": b"" for i in range(257)}}))
    found.append(pack_archive({}))
    return [*found, pack_archive({"manifest.json": b"{}"}), pack_archive({"a.bin": b"1"})]


def members(repack: Repack) -> list[bytes]:
    """Members that are missing, too many, changed, or no arrays."""
    parts = unpack_archive(GOOD)
    found = [repack(GOOD, {name: None}) for name in parts if name != MANIFEST]
    found += [pack_archive({**parts, "extra.bin": b"x"}), repack(GOOD, {"extra.bin": b"x"})]
    for name in ("card.md", "graphs/g_s.weights", "arrays/step.npy"):
        data = parts[name]
        found.append(pack_archive({**parts, name: data[:-1] + bytes([data[-1] ^ 1])}))
    step = _array("step")
    wrong = [
        npy(step.astype(np.int64)),
        npy(step.astype(">i4")),
        npy(np.asfortranarray(step)),
        npy(step[0]),
        npy(step[:, :0]),
        npy(step[:2]),
        npy(np.array([{}]), allow_pickle=True),
        parts["arrays/step.npy"][:-1],
        parts["arrays/step.npy"] + b"\0",
        parts["arrays/step.npy"].replace(b"(3, 32)", b"(9999999999, 9)")[:-8],
        b"\x93NUMPY\1\0\xff\xff{",
        b"\x93NUMPY",
        b"",
    ]
    return found + [repack(GOOD, {"arrays/step.npy": data}) for data in wrong]


def values(repack: Repack) -> list[bytes]:
    """Arrays of the right form whose values are out of range, or not those of the answers."""
    changes: list[tuple[str, Any]] = [
        ("step", 0),
        ("step", 65536),
        ("rounding", -0.1),
        ("rounding", 1.5),
        ("rounding", np.nan),
        ("z_index", 64),
        ("linear_scale", np.inf),
        ("head_bias", np.nan),
        ("pixels_scale", 0.51),
        ("pixels_bias", 1 << 24),
        ("pixels_bias", -(1 << 24)),
        ("frequencies", 0),
        ("shapes", 40),
        ("step", 300),
        ("offset", 11),
        ("planes", 200),
        ("linear_bias", 3.5),
        ("pixels_bias", 9999),
    ]
    found = []
    for name, value in changes:
        array = _array(name)
        array.flat[0] = value
        found.append(repack(GOOD, {f"arrays/{name}.npy": npy(array)}))
    return found


def _answer(index: int, **fields: Any) -> Edit:
    return lambda m: m["known_answers"][index].update(fields)


def _version(value: object) -> Edit:
    return lambda m: m.update(version=value)


def _spec(field: str, value: object) -> Edit:
    return lambda m: m["spec"].update({field: value})


def _no_spec(field: str) -> Edit:
    return lambda m: m["spec"].pop(field)


def edits() -> list[Edit]:
    """Changes of the manifest."""
    found: list[Edit] = [
        lambda m: m.update(format="another"),
        lambda m: m.pop("format"),
        lambda m: m.pop("members"),
        lambda m: m.update(members=[]),
        lambda m: m["members"]["card.md"].update(size=1),
        lambda m: m["members"]["card.md"].update(sha256="0" * 64),
        lambda m: m["members"]["card.md"].update(more=1),
        lambda m: m.pop("spec"),
        lambda m: m.update(spec=[1, 2]),
        lambda m: m["spec"].pop("h_s"),
        lambda m: m["spec"].update(h_s=[16, 16, 17]),
        lambda m: m["spec"].update(h_s=[16, 16]),
        lambda m: m["known_answers"].pop(),
        lambda m: m["known_answers"].pop(0),
        lambda m: m["known_answers"].reverse(),
        lambda m: m["known_answers"].append(copy.deepcopy(m["known_answers"][-1])),
        lambda m: m.update(known_answers=[]),
        lambda m: m.update(known_answers={}),
        lambda m: m.pop("known_answers"),
        lambda m: m["known_answers"][0]["outputs"].update(more=1),
        lambda m: m["known_answers"][0]["outputs"].update(head_sum=1),
        lambda m: m["known_answers"][0]["outputs"].update(head_sum=1 << 70),
        lambda m: m["known_answers"][0]["outputs"].update(head_sum="1"),
        lambda m: m["known_answers"][5]["outputs"].update(pixels_sum=0),
        _answer(6, payload=1),
        _answer(7, frame=1),
        _answer(8, frame=-1),
        _answer(8, frame=1.5),
        _answer(8, quality=2),
        _answer(8, more=2),
        lambda m: m.update(anything={"deep": [[["é", 1e300, -0.5, True, None, "\u2028"]]]}),
    ]
    found += [_version(version) for version in (0, 4, 6, "5", None, 1.5)]
    for field in ("qualities", "latents", "hyper", "planes", "base"):
        found += [_spec(field, value) for value in (0, -1, 7, 1 << 40, "many", None)]
        found.append(_no_spec(field))
    return found


VALUES = [
    *rb"""NaN Infinity -Infinity 1e999 01 1. .5 +1 1e --1 -0 1E+5 0.5e-3 tru 'x' "abc""".split(),
    *rb'''"\x" "\u12" "\ud800" "\udc00\ud800" "\ud800x" "\ud83d\ude00" "\/\b\f"'''.split(),
    *rb"""[1,] {,} {1:2} {"a"1} {"a":{"a":1}} {"a":1,"\u0061":1} /**/1 [] 1,2""".split(),
    *(b'"' + text + b'"' for text in (b"\x01", b"\xc0\x80", b"\xed\xa0\x80", b"\xc3", b"\x7f")),
    *(b'"' + text + b'"' for text in (b"\xf0\x9f\x98\x80", b"\xf4\x90\x80\x80")),
    *(b"[" * depth + b"]" * depth for depth in (31, 32)),
    *(b"1" * digits for digits in (4300, 4301)),
    b"1 2",
    b"true",
    b"\t[ ]\r",
]
"""Values for a manifest, half of which are no JSON or ambiguous."""


def manifests() -> list[bytes]:
    """Texts that are no JSON, or ambiguous, in the place of the manifest."""
    parts = unpack_archive(GOOD)
    text = parts[MANIFEST]
    texts = [b"", b"[]", b"{", b"\xff\xfe", b'{"a": 1, "a": 2}', b"[" * 5000, b"5", b"null", b'"x"']
    texts += [text.replace(b'"game"', b'"more": ' + v + b', "game"', 1) for v in VALUES]
    texts += [text + b"x", text + b" \n", b"\xef\xbb\xbf" + text, text[:-3]]
    return [pack_archive({**parts, MANIFEST: text}) for text in texts]


KEYS = ("0123456789abcdef", "123456789abcdef0")
VALUE = bytes(range(64))


def signed(data: bytes, member: bytes) -> bytes:
    return pack_archive({**unpack_archive(data), SIGNATURES: member})


def sound_signatures() -> list[bytes]:
    """Members that are written as they have to be, verified or not."""
    eight = [Signature(f"{n:016x}", bytes([n]) * 64) for n in range(MAX_SIGNATURES)]
    both = [Signature(key, VALUE) for key in KEYS]
    return [pack_signatures(listed) for listed in (both[:1], both, eight)]


def broken_signatures() -> list[bytes]:
    """Members with another form, most of which a lenient reader would take."""
    one, two, eight = sound_signatures()
    start, end = one.index(b"    {"), one.index(b"\n  ],")
    entry, key = one[start:end], KEYS[0].encode()
    return [
        *(b"", b"{}", b"[]", b"null", b"\xff", one[:-1], one + b"\n", b"\xef\xbb\xbf" + one),
        *(one[:n] for n in range(1, len(one), 23)),
        json.dumps(json.loads(one)).encode(),  # the same, spelt otherwise
        one.replace(b"  ", b"\t"),
        one.replace(b"\n", b"\r\n"),
        one.replace(entry, b""),
        one.replace(entry, entry + b",\n" + entry),  # two of one key
        two.replace(KEYS[0].encode(), b"f" * 16, 1),  # in another order
        eight.replace(b"\n  ],", b",\n" + entry.replace(key, b"f" * 16) + b"\n  ],"),
        *(one.replace(b'"version": 1', b'"version": ' + v) for v in (b"2", b"true", b"1.0", b"-1")),
        one.replace(b"c3d-export signatures", b"c3d-export bundle"),
        one.replace(b"ed25519", b"none"),
        one.replace(b'"algorithm": "ed25519"', b'"algorithm": ""'),
        one.replace(key, key.upper()),
        one.replace(key, key[:-1]),
        one.replace(key, key + b"0"),
        one.replace(key, b"\\u0030" + key[1:]),
        one.replace(b"==", b"="),
        one.replace(b"==", b""),
        one.replace(b"Pw==", b"Px=="),  # bits beyond the last byte
        one.replace(b"Pw==", b"P-=="),
        one.replace(b"AAEC", b"AA C"),
        one.replace(b"AAEC", b"AAE\x00"),
        one.replace(b'"version": 1', b'"version": 1,\n  "more": 0'),
        one.replace(b'"version": 1', b'"version": 1,\n  "version": 1'),
        one[:-2] + b" " * 5000 + b"}\n",
        b"[" * 4000,
    ]


def _varint(value: int) -> bytes:
    return bytes([value & 127 | 128, value >> 7]) if value > 127 else bytes([value])


def graphs(repack: Repack) -> list[bytes]:
    """Graphs with flipped bits, cut, doubled, or in one another's place."""
    parts = unpack_archive(GOOD)
    rng = np.random.default_rng(11)
    found = []
    for name in ("graphs/g_s.qlinear", "graphs/g_a.float", "graphs/h_s.weights"):
        data = parts[name]
        for place in rng.integers(0, min(len(data), 4000), 50):
            changed = bytearray(data)
            changed[place] ^= 1 << int(rng.integers(8))
            found.append(repack(GOOD, {name: bytes(changed)}))
        for other in (b"", data[:-1], data * 2, b"1234ORTM" + data, data + b"\x08\x08"):
            found.append(repack(GOOD, {name: other}))
    name = b"n" * 200  # of a node, field 3: of the graph, field 7, one node, field 1
    node = b"\x1a\xc8\x01" + name + b"\x22\x05Shape\x0a\x01v\x12\x01s"
    for long in (node, node.replace(name, b"n" * 120).replace(b"\xc8\x01", b"\x78")):
        part = b"\x0a" + _varint(len(long)) + long
        whole = parts["graphs/g_s.qlinear"] + b"\x3a" + _varint(len(part)) + part
        found.append(repack(GOOD, {"graphs/g_s.qlinear": whole}))
    swapped = {"graphs/g_cp.qlinear": parts["graphs/g_ep.qlinear"]}
    return [*found, repack(GOOD, swapped)]
