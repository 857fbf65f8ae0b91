"""Removes the quotation marks that an operator wrote around a value."""

QUOTES = ("'", '"')


def unquoted(text: str) -> str:
    """The text between matching quotation marks that occur only around it."""
    for quote in QUOTES:
        if len(text) >= 2 and text[0] == text[-1] == quote and quote not in text[1:-1]:
            return text[1:-1]
    return text
