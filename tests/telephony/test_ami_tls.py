"""AMI over TLS: a link speaks only to a PBX that it can verify."""

import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from telephony.ami import LinkState
from tests.support.ami_owner import Heard, linked
from tests.support.ami_server import AmiServer


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for localhost that nobody signed, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "pbx.pem", folder / "pbx.key"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem, key_pem


@pytest.fixture
async def tls_server(tmp_path: Path) -> AsyncIterator[tuple[AmiServer, Path]]:
    pem, key = certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem, key)
    async with AmiServer(tls=context) as server:
        yield server, pem


async def test_a_link_speaks_tls_to_a_pbx_it_can_verify(tls_server: tuple[AmiServer, Path]) -> None:
    server, pem = tls_server
    trusting = ssl.create_default_context(cafile=str(pem))
    async with linked(server.account(host="localhost", tls=trusting)) as link:
        await link.connected()
        assert (await link.send("Ping")).ok


async def test_a_pbx_whose_certificate_cannot_be_verified_never_hears_the_secret(
    tls_server: tuple[AmiServer, Path],
) -> None:
    server, _ = tls_server
    heard = Heard()
    async with linked(server.account(host="localhost", tls=True), heard) as link:
        await heard.until(lambda h: LinkState.DOWN in h.states)
        assert "certificate" in link.status.reason.lower()
    assert server.received == []
