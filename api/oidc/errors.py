"""Reasons why nobody was signed in; each has a code for the dashboard."""


class SignInError(Exception):
    """Nobody was signed in; the message is for the log and contains nothing of the provider's answer."""

    code = "sso_failed"


class ProviderUnavailableError(SignInError):
    """The provider does not answer, or not as one; a later attempt may succeed."""

    code = "sso_unavailable"


class InvalidAnswerError(SignInError):
    """The browser's or the provider's answer does not belong to the attempt, or is not valid."""

    code = "sso_invalid"


class DeclinedError(SignInError):
    """The provider or the person declined."""

    code = "sso_declined"


class NotAllowedError(SignInError):
    """The person is known, and no rule of OIDC_ALLOW is for them."""

    code = "sso_not_allowed"
