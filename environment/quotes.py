"""Removes the quotation marks that an operator put around a value."""

QUOTES = ("'", '"')


def unquoted(text: str) -> str:
    """Return the text without the matching quotation marks around it, unless they also occur within it."""
    for quote in QUOTES:
        if len(text) >= 2 and text[0] == text[-1] == quote and quote not in text[1:-1]:
            return text[1:-1]
    return text
