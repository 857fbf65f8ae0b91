"""Slows down the guessing of tokens: after many failures, a client address must wait before the next check."""

import hashlib
import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from api.http.errors import ApiError

BURST = 60
"""The number of failed attempts from a client address before it must wait."""
PER_MINUTE = 30
"""The number of failed attempts per minute that are allowed after that."""
_MAX_CLIENT_ADDRESSES = 10_000
_MAX_KNOWN_TOKENS = 1_000


class FailedAttempts:
    """The failed attempts by client address, counted separately by each process.

    Tokens that were valid before are always checked. Other clients behind the same proxy therefore continue to work
    while one of them guesses.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """By client address: the failures that still count, and the time at which they were counted."""
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def wait_seconds(self, client_address: str, token: str) -> float:
        """Return 0 if the token may be checked now, or else the number of seconds to wait."""
        if self.is_known(token):
            return 0
        excess = self._current(_network(client_address)) - BURST + 1
        return max(0.0, excess * 60 / PER_MINUTE)

    def is_known(self, token: str) -> bool:
        """Return whether the token was valid before."""
        return _digest(token) in self._known

    def require_allowed(self, client_address: str, token: str = "") -> None:
        """Raise ApiError unless the token may be checked now."""
        if wait := self.wait_seconds(client_address, token):
            sentence = "Too many attempts with wrong tokens came from this address."
            raise ApiError(429, "too_many_failed_attempts", sentence, {"retry-after": str(math.ceil(wait))})

    def record_failure(self, client_address: str, token: str = "") -> None:
        self._known.pop(_digest(token), None)  # a known token that fails was revoked or has expired
        network = _network(client_address)
        self._failures[network] = (self._current(network) + 1, self._clock())
        self._failures.move_to_end(network)
        if len(self._failures) > _MAX_CLIENT_ADDRESSES:
            self._failures.popitem(last=False)

    def record_success(self, token: str) -> None:
        self._known[_digest(token)] = None
        self._known.move_to_end(_digest(token))
        if len(self._known) > _MAX_KNOWN_TOKENS:
            self._known.popitem(last=False)

    def _current(self, network: str) -> float:
        failures, counted_at = self._failures.get(network, (0.0, 0.0))
        return max(0.0, failures - (self._clock() - counted_at) * PER_MINUTE / 60)


def _network(client_address: str) -> str:
    """Return the address, or for IPv6 the /64 network that belongs to one client."""
    try:
        parsed = ipaddress.ip_address(client_address.partition("%")[0])
    except ValueError:
        return client_address
    if isinstance(parsed, ipaddress.IPv4Address):
        return client_address
    return str(parsed.ipv4_mapped or ipaddress.ip_network((int(parsed) >> 64 << 64, 64)))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()
