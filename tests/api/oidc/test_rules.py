"""Tests the rules that determine who may sign in, and the comparison of their e-mail addresses."""

import pytest

from api.oidc import rules


@pytest.mark.parametrize(
    "email",
    [
        "x@a.example@shop.example",
        "x\0@shop.example",
        "x\u202e@shop.example",
        f"{'x' * 300}@shop.example",
        "\ud800@shop.example",
    ],
)
def test_a_malformed_address_matches_no_rule(email: str) -> None:
    """The address would become the name of a token, in logs and on pages."""
    assert rules.verified_email({"email": email, "email_verified": True}) is None


def test_an_address_that_matches_a_rule_only_after_case_folding_is_another_persons() -> None:
    """The Kelvin sign is not the letter k, although its lower case is."""
    parsed = rules.parse("kiran@shop.example=read,जया@SHOP.example=read")

    def scopes(email: str) -> set[str]:
        return set(rules.scopes_of(parsed, {"email": email, "email_verified": True}, "groups"))

    assert scopes("Kiran@shop.example") == scopes("जया@SHOP.example") == {"read"}
    assert scopes("\u212airan@shop.example") == set()


def test_rules_give_all_that_fits() -> None:
    """Addresses match in any case, several rules are combined, and a group never matches as an address."""
    parsed = rules.parse("Asha@Shop.example=read, @shop.example=write,group:Admins=admin")

    def scopes(**claims: object) -> set[str]:
        return set(rules.scopes_of(parsed, claims, "groups"))

    assert scopes(email="asha@SHOP.example", email_verified=True, groups=["Admins"]) == {"read", "write", "admin"}
    assert scopes(email="ravi@shop.example", email_verified=True) == {"write"}
    assert scopes(email="x@evil.example@shop.example.evil.example", email_verified=True) == set()
    assert scopes(groups=["admins", "@shop.example", 7]) == set()
