"""Tables for people, and the same as a document for machines."""

from dev.bench.results import Row, Samples, Table

_HEAD = ("", "median", "least", "most", "", "against", "median", "ratio", "target", "")


def text(table: Table) -> str:
    """The table, its columns aligned."""
    lines = [_HEAD, *(_cells(row) for row in table.rows)] if table.rows else []
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(len(_HEAD))]
    printed = [
        "  ".join(
            cell.ljust(width) if column in {0, 4, 5, 8} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    misses = [f"  MISSED: {_miss(row)}" for row in table.rows if row.met is False]
    return "\n".join(
        [f"\n{table.title}", *(f"  {line}" for line in printed), *misses, *(f"  · {n}" for n in table.notes)]
    )


def document(table: Table) -> dict[str, object]:
    return {
        "title": table.title,
        "rows": [
            {
                "name": row.name,
                "unit": row.unit,
                "ours": _summary(row.ours),
                "reference": row.reference,
                "theirs": None if row.theirs is None else _summary(row.theirs),
                "ratio": row.ratio,
                "target": None if row.target is None else f"{row.target.sense} {row.target.value:g}",
                "met": row.met,
            }
            for row in table.rows
        ],
        "notes": list(table.notes),
    }


def _cells(row: Row) -> tuple[str, ...]:
    ratio = row.ratio
    return (
        row.name,
        _number(row.ours.median),
        _number(row.ours.least),
        _number(row.ours.most),
        row.unit,
        row.reference or "",
        "" if row.theirs is None else _number(row.theirs.median),
        "" if ratio is None else f"{ratio:.2f}x",
        "" if row.target is None else f"{row.target.sense} {row.target.value:g}{'x' if ratio is not None else ''}",
        {None: "", True: "met", False: "MISSED"}[row.met],
    )


def _miss(row: Row) -> str:
    assert row.target is not None
    value = f"{row.ours.median:.4g} {row.unit}" if row.ratio is None else f"{row.ratio:.2f}x {row.reference}"
    said = f"{row.name} is {value}, and should be {row.target.sense} {row.target.value:g}."
    return f"{said} {row.excuse}" if row.excuse else said


def _summary(samples: Samples) -> dict[str, object]:
    return {"median": samples.median, "min": samples.least, "max": samples.most, "runs": len(samples.values)}


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
