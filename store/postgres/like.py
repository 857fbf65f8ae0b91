"""Builds LIKE patterns that match a text literally."""


def containing(text: str) -> str:
    return f"%{_escape(text)}%"


def starting_with(text: str) -> str:
    return f"{_escape(text)}%"


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
