"""Counts the bytes of a request while it arrives, in its body and around it."""

MAX_HEAD_BYTES = 64 << 10
"""The size limit in bytes of request line, headers and trailers. A chunked body may have as many bytes around its
chunks as in them.
"""


class RequestSize:
    """The size of the request that is being read. The parser does not report where in the data a request starts."""

    __slots__ = ("_counted_body_bytes", "_uncertain_bytes", "body_bytes", "framing_bytes", "requests_in_data")

    def __init__(self) -> None:
        self.requests_in_data = 0
        """The number of requests in the data that is being parsed. The reader counts those that begin in it."""
        self.end()

    def end(self) -> None:
        """Record that the request is complete."""
        self.body_bytes = 0
        self.framing_bytes = 0
        """An upper bound of the received bytes that are not part of the body: head, trailers and chunk framing."""
        self._uncertain_bytes = 0
        self._counted_body_bytes = 0

    def count(self, data_bytes: int) -> None:
        """Count parsed data, which ends within the newest request."""
        if self.requests_in_data > 1:
            self._uncertain_bytes = self.framing_bytes = data_bytes - self.body_bytes
        else:
            self.framing_bytes += data_bytes - (self.body_bytes - self._counted_body_bytes)
        self._counted_body_bytes = self.body_bytes
        self.requests_in_data = 1

    @property
    def allowed_bytes(self) -> int:
        """The number of bytes that may be parsed before the size is checked again.

        If it is below 1, the request is too large.

        Data that arrived together with the end of an earlier request is not counted against it.
        """
        return MAX_HEAD_BYTES + self.body_bytes + self._uncertain_bytes - self.framing_bytes + 1
