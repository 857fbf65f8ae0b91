"""Counts the bytes of a request while it arrives, in its body and around it."""

MAX_HEAD_BYTES = 64 << 10
"""Of a request line, headers and trailers; a chunked body may have as many bytes again around its chunks as in them."""


class RequestSize:
    """The size of the request that is read. The parser does not tell where in the data a request begins."""

    __slots__ = ("_counted_body_bytes", "_uncertain_bytes", "body_bytes", "framing_bytes", "requests_in_data")

    def __init__(self) -> None:
        self.requests_in_data = 0
        """How many requests have a part in the data that is parsed; the reader counts those that begin in it."""
        self.end()

    def end(self) -> None:
        """Note that the request is complete."""
        self.body_bytes = 0
        self.framing_bytes = 0
        """At most so many bytes are not of its body: its head, trailers, and what is around chunks."""
        self._uncertain_bytes = 0
        self._counted_body_bytes = 0

    def count(self, data_bytes: int) -> None:
        """Count data that was parsed, of whose newest request a part is missing."""
        if self.requests_in_data > 1:
            self._uncertain_bytes = self.framing_bytes = data_bytes - self.body_bytes
        else:
            self.framing_bytes += data_bytes - (self.body_bytes - self._counted_body_bytes)
        self._counted_body_bytes = self.body_bytes
        self.requests_in_data = 1

    @property
    def allowed_bytes(self) -> int:
        """How much may be parsed before the size is looked at again; less than one: the request is too large.

        What arrived together with the end of an earlier request is not held against it.
        """
        return MAX_HEAD_BYTES + self.body_bytes + self._uncertain_bytes - self.framing_bytes + 1
