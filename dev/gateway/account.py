"""Defines the credentials of the simulated gateway."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GatewayAccount:
    """The only account of the simulated gateway."""

    jwt: str = "pretend-jwt-of-the-owner"
    api_key: str = "pretend-key-of-the-session"
    """The key of a session, which implies the session."""
    user_key: str = "pretend-key-of-the-owner"
    """The key of the user, which requires `x-session-id`."""
    session_id: str = "11111111-2222-4333-8444-555555555555"
    phone: str = "919800000000"

    def to_environ(self, base_url: str) -> dict[str, str]:
        """Return the variables of a process that calls the gateway at `base_url` with this account."""
        return {
            "SAK_BASE_URL": base_url,
            "SAK_JWT": self.jwt,
            "SAK_API_KEY": self.api_key,
            "SAK_SESSION_ID": self.session_id,
            "SAK_PHONE": self.phone,
        }
