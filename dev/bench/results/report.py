"""Formats results as tables and as a JSON document."""

from dev.bench.results.results import ResultRow, ResultTable, Samples

_HEADER = ("", "median", "least", "most", "", "against", "median", "ratio", "target", "")


def format_table(table: ResultTable) -> str:
    """Return the table with aligned columns."""
    lines = [_HEADER, *(_row_cells(row) for row in table.rows)] if table.rows else []
    widths = [max((len(line[column]) for line in lines), default=0) for column in range(len(_HEADER))]
    printed = [
        "  ".join(
            cell.ljust(width) if column in {0, 4, 5, 8} else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]
    misses = [f"  MISSED: {_miss_sentence(row)}" for row in table.rows if row.is_target_met is False]
    return "\n".join(
        [f"\n{table.title}", *(f"  {line}" for line in printed), *misses, *(f"  · {n}" for n in table.notes)]
    )


def table_to_json(table: ResultTable) -> dict[str, object]:
    return {
        "title": table.title,
        "rows": [
            {
                "name": row.name,
                "unit": row.unit,
                "ours": _summarize(row.ours),
                "reference": row.reference_name,
                "theirs": None if row.reference_samples is None else _summarize(row.reference_samples),
                "ratio": row.ratio,
                "target": None if row.target is None else f"{row.target.comparison} {row.target.value:g}",
                "met": row.is_target_met,
            }
            for row in table.rows
        ],
        "notes": list(table.notes),
    }


def _row_cells(row: ResultRow) -> tuple[str, ...]:
    ratio = row.ratio
    return (
        row.name,
        _format_number(row.ours.median),
        _format_number(row.ours.minimum),
        _format_number(row.ours.maximum),
        row.unit,
        row.reference_name or "",
        "" if row.reference_samples is None else _format_number(row.reference_samples.median),
        "" if ratio is None else f"{ratio:.2f}x",
        "" if row.target is None else f"{row.target.comparison} {row.target.value:g}{'x' if ratio is not None else ''}",
        {None: "", True: "met", False: "MISSED"}[row.is_target_met],
    )


def _miss_sentence(row: ResultRow) -> str:
    assert row.target is not None
    value = f"{row.ours.median:.4g} {row.unit}" if row.ratio is None else f"{row.ratio:.2f}x {row.reference_name}"
    sentence = f"{row.name} is {value}, and should be {row.target.comparison} {row.target.value:g}."
    return f"{sentence} {row.miss_reason}" if row.miss_reason else sentence


def _summarize(samples: Samples) -> dict[str, object]:
    return {"median": samples.median, "min": samples.minimum, "max": samples.maximum, "runs": len(samples.values)}


def _format_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}"
