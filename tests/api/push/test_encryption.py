"""Tests that contents of notifications are encrypted and signed as the RFCs require."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from api.push import encryption
from api.push.encryption import SigningKey
from tests.support.servers.push_service import Device

CURVE = ec.SECP256R1()


def test_the_example_of_rfc_8291_has_the_same_bytes() -> None:
    """https://www.rfc-editor.org/rfc/rfc8291#section-5"""
    secret = int.from_bytes(encryption.decode("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"))
    sender = ec.derive_private_key(secret, CURVE)

    body = encryption.encrypt(
        b"When I grow up, I want to be a watermelon",
        encryption.decode("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"),
        encryption.decode("BTBZMqHH6r4Tts7J_aSIgg"),
        salt=encryption.decode("DGv6ra1nlYgDCS1FRnbzlw"),
        sender=sender,
    )

    assert encryption.encode(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
        "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_a_secret_always_gives_the_same_key() -> None:
    """Devices subscribe to the public key, so it must survive a restart and be the same in every process."""
    keys = {SigningKey.derive("a secret").public for _ in range(3)}

    assert len(keys) == 1
    assert keys.isdisjoint({SigningKey.derive("another secret").public})
    assert encryption.is_public_key(encryption.decode(keys.pop()))


def test_content_above_the_size_of_a_record_is_refused() -> None:
    device = Device("x")
    full = b"x" * encryption.MAX_CONTENT_BYTES

    assert len(encryption.encrypt(full, device.p256dh, device.auth)) == 4096
    with pytest.raises(ValueError, match="does not fit"):
        encryption.encrypt(full + b"x", device.p256dh, device.auth)


def test_no_two_bodies_are_alike() -> None:
    """If a key or a salt were used twice, the content could be decrypted."""
    device = Device("x")
    bodies = {encryption.encrypt(b"hello", device.p256dh, device.auth) for _ in range(3)}

    assert len(bodies) == 3
    assert {device.decrypt(body) for body in bodies} == {b"hello"}
