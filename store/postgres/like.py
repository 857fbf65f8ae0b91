"""Patterns for LIKE of what somebody typed."""


def containing(text: str) -> str:
    return f"%{_escaped(text)}%"


def beginning(text: str) -> str:
    return f"{_escaped(text)}%"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
