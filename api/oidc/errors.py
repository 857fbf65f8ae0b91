"""Defines the reasons why a sign-in failed, each with a code for the dashboard."""


class SignInError(Exception):
    """The sign-in failed. The message is for the log and contains nothing of the provider's response."""

    code = "sso_failed"


class ProviderUnavailableError(SignInError):
    """The provider does not respond, or not in the expected form. A later attempt may succeed."""

    code = "sso_unavailable"


class InvalidResponseError(SignInError):
    """The response of the browser or of the provider does not belong to the attempt, or is invalid."""

    code = "sso_invalid"


class DeclinedError(SignInError):
    """The provider or the person declined the sign-in."""

    code = "sso_declined"


class NotAllowedError(SignInError):
    """The person is known, but no rule in OIDC_ALLOW matches."""

    code = "sso_not_allowed"
