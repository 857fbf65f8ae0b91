"""Reads the cells of an .xlsx workbook as a spreadsheet program does."""

import io
import re
import zipfile
from xml.etree import ElementTree as ET

_NAMESPACE = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def rows(content: bytes, sheet: int = 1) -> list[dict[str, str]]:
    """Return the rows of a sheet, each cell by the letter of its column. Fails if a cell has a formula."""
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        assert book.testzip() is None
        root = ET.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml"))
    assert root.find(f".//{_NAMESPACE}f") is None
    return [
        {re.sub("[0-9]", "", cell.attrib["r"]): _value(cell) for cell in row} for row in root.iter(f"{_NAMESPACE}row")
    ]


def _value(cell: ET.Element) -> str:
    found = cell.find(f"{_NAMESPACE}is/{_NAMESPACE}t") if cell.get("t") == "inlineStr" else cell.find(f"{_NAMESPACE}v")
    return "" if found is None else found.text or ""


def unescape(value: str) -> str:
    """Return the text of a cell as Excel shows it, where `_xHHHH_` is a character."""
    return re.sub("_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), value)
