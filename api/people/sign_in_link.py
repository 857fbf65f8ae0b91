"""Builds the link that signs a browser in with a token, and its QR code for a phone's camera."""

import io
from urllib.parse import quote

import segno


def build(page: str, secret: str) -> str:
    """Return the link. The part after the # reaches no server and no log."""
    return f"{page}#token={quote(secret, safe='')}"


def draw(link: str) -> str:
    """Return the QR code as an SVG document, black on white in any colour scheme."""
    drawn = io.BytesIO()
    segno.make_qr(link, error="m").save(
        drawn, kind="svg", xmldecl=False, svgclass=None, lineclass=None, light="#fff", omitsize=True
    )
    return drawn.getvalue().decode().strip()
