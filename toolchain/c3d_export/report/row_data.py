"""Every row of the results, packed for the table that the page makes of one codec and quality."""

from __future__ import annotations

import math

from c3d_export.evaluate.labels import label_of
from c3d_export.report.results import Results
from c3d_export.report.tables import shown_columns

Packed = dict[str, object]


def packed_rows(results: Results) -> Packed:
    """images: names; columns: [key, heading, decimals]; groups: one per codec and quality,
    {model, label, quality, images: [place], errors: [text or null], values: [a column's numbers]}.

    Numbers are as in the file: null for what was not measured (or for a whole column of that),
    "inf" for infinity.
    """
    columns = [
        column
        for column in shown_columns(row.values for row in results.rows)
        if column.key not in ("width", "height")
    ]
    keys = ["width", "height", *(column.key for column in columns)]
    images = {name: index for index, name in enumerate(results.images)}
    groups: dict[tuple[str, int, str], dict[str, list[object]]] = {}
    for row in results.rows:
        empty: dict[str, list[object]] = {"images": [], "errors": [], "values": [[] for _ in keys]}
        group = groups.setdefault((row.model, row.quality, row.supersampled), empty)
        group["images"].append(images[row.image])
        group["errors"].append(row.error)
        for key, cells in zip(keys, group["values"], strict=True):
            assert isinstance(cells, list)
            cells.append(_cell(row.values.get(key, math.nan)))
    heads = [["width", "width", 0], ["height", "height", 0], *map(list, columns)]
    return {
        "images": list(images),
        "columns": heads,
        "groups": [
            {"model": model, "label": label_of(model), "quality": quality, **_without_empty(group)}
            for (model, quality, _), group in groups.items()
        ],
    }


def _without_empty(group: dict[str, list[object]]) -> dict[str, object]:
    columns = group["values"]
    kept = [
        cells if isinstance(cells, list) and any(cell is not None for cell in cells) else None
        for cells in columns
    ]
    return {**group, "values": kept}


def _cell(value: float) -> float | int | str | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf"
    return int(value) if value == int(value) else value
