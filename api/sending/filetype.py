"""Detects the media type of a file from its content, because its name and declared type may be wrong."""

import mimetypes

from api.http.errors import ApiError

SNIFF_BYTES = 4096
"""The number of bytes at the start of a file that are examined."""

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"PK\x03\x04", "application/zip"),
    (b"PK\x05\x06", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"\x1f\x8b", "application/gzip"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"{\\rtf", "application/rtf"),
)
_FTYP_BRANDS = {
    b"qt": "video/quicktime",
    b"3g": "video/3gpp",
    b"M4A": "audio/mp4",
    b"avif": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
}
_RIFF_FORMS = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
_ALLOWED_TYPES = {
    "image": frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"}),
    "video": frozenset({"video/mp4", "video/3gpp", "video/quicktime", "video/webm"}),
}
_DETECTABLE_TYPES = frozenset(
    {kind for _, kind in _SIGNATURES if not kind.startswith("audio/")}
    | _ALLOWED_TYPES["image"]
    | {"video/mp4", "video/quicktime"}
)
"""Types that are always detected. If a file's name claims one of them, its content must match."""
_ZIP_BASED_TYPES = (
    "application/vnd.openxmlformats-",
    "application/vnd.oasis.",
    "application/epub+zip",
    "application/java-archive",
)
_OLE_BASED_TYPES = ("application/msword", "application/vnd.ms-")


def detect(head: bytes) -> str:
    """Return the media type of a file that starts with `head`, or `application/octet-stream` if it is unknown."""
    for magic, kind in _SIGNATURES:
        if head.startswith(magic):
            return kind
    if head[:4] == b"RIFF":
        return _RIFF_FORMS.get(head[8:12], "application/octet-stream")
    if head[4:8] == b"ftyp":
        return next((kind for brand, kind in _FTYP_BRANDS.items() if head[8:12].startswith(brand)), "video/mp4")
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    return "text/plain" if _is_text(head) else "application/octet-stream"


def validate(kind: str, head: bytes, name: str) -> str:
    """Return the media type of a file to send as an image, a video or a document. Raises ApiError."""
    detected = detect(head)
    if not head:
        raise ApiError(400, "empty_file", "The file is empty.")
    if kind in _ALLOWED_TYPES:
        if detected not in _ALLOWED_TYPES[kind]:
            kinds = ", ".join(sorted(word.partition("/")[2] for word in _ALLOWED_TYPES[kind]))
            sentence = f"The content of the file is {detected}; {kind} must be one of: {kinds}."
            raise ApiError(415, "bad_file_type", sentence)
        return detected
    claimed = mimetypes.guess_type(name)[0]
    if claimed is None or claimed == detected:
        return detected
    if detected == "application/zip" and claimed.startswith(_ZIP_BASED_TYPES):
        return claimed
    if detected == "application/x-ole-storage" and claimed.startswith(_OLE_BASED_TYPES):
        return claimed
    if claimed in _DETECTABLE_TYPES or claimed.startswith((*_ZIP_BASED_TYPES, *_OLE_BASED_TYPES)):
        raise ApiError(415, "bad_file_type", f"The name of the file says {claimed}, its content is {detected}.")
    # Text formats differ only by name.
    return claimed if detected == "text/plain" and claimed.startswith("text/") else detected


def _is_text(head: bytes) -> bool:
    if b"\0" in head:
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # The end of the examined bytes may split the last character.
        return len(head) == SNIFF_BYTES and error.start > SNIFF_BYTES - 4
    return True
