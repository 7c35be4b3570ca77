"""Where a webhook may not be sent: nothing inside the house is reachable through us (SSRF) unless the settings allow it.

The address that was checked is the one that is connected to: addresses are checked in the resolver that the connection itself
uses, and once more where its socket is made, so a name cannot answer differently the second time.
"""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType
from aiohttp.helpers import is_ip_address
from yarl import URL

Address = IPv4Address | IPv6Address
NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
LONGEST_URL = 2000


class Forbidden(OSError):
    """The address is inside the house, or the name has no address outside it."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Judges URLs and addresses. `allowed` are networks inside the house that may be told, also without https."""

    allowed: tuple[str, ...] = ()

    def allows(self, address: Address, *, plain: bool) -> bool:
        """Whether this address may be connected to; `plain`: without TLS, which only the allowed networks may be."""
        inner = _embedded(address)
        if any(_inside(inner, network) for network in self.allowed):
            return True
        return not plain and inner.is_global and not inner.is_multicast and not inner.is_reserved

    def fault_of(self, url: str) -> str | None:
        """What is wrong with a URL before anything is looked up; None when it may be tried."""
        try:
            parsed = URL(url)
            _ = parsed.port
        except ValueError:
            return "is not a URL"
        if len(url) > LONGEST_URL or parsed.scheme not in ("http", "https") or not parsed.host:
            return "must be an https:// URL"
        if parsed.user is not None or parsed.password is not None or parsed.fragment:
            return "must not hold a name, a password or a fragment"
        literal = _literal(parsed.host)
        if literal is not None:
            return None if self.allows(literal, plain=parsed.scheme == "http") else self._refusal(parsed)
        if is_ip_address(parsed.host):
            return "must not be half a number: write the address in full"  # 127.1 and the like are looked up by nobody
        if parsed.scheme == "http" and not self.allowed:
            return "must be https://; http:// only to networks in outbox.allow_networks"
        return None

    def _refusal(self, url: URL) -> str:
        if url.scheme == "http":
            return "must be https://, and http:// only to networks in outbox.allow_networks"
        return "must not point into a private network (outbox.allow_networks names exceptions)"

    def new_socket(self, found: AddrInfoType, *, plain: bool) -> socket.socket:
        """A socket for one address, the last thing before the connection. Raises Forbidden."""
        family, kind, proto, _, address = found
        if not self.allows(ip_address(address[0]), plain=plain):
            raise Forbidden(f"{address[0]} is not an address that may be told")
        return socket.socket(family, kind, proto)


class GuardedResolver(AbstractResolver):
    """Resolves by the system, and hands on only addresses that the guard allows."""

    def __init__(self, guard: Guard, *, plain: bool) -> None:
        self._guard = guard
        self._plain = plain

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The allowed addresses of `host`. Raises Forbidden: it has none; OSError: it has no address at all."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        allowed = [one for one in found if self._guard.allows(ip_address(one[4][0]), plain=self._plain)]
        if not allowed:
            raise Forbidden(f"{host} is not an address that may be told")
        return [_result(host, port, one) for one in allowed]

    async def close(self) -> None:
        """Nothing is open."""


def _result(host: str, port: int, found: Sequence[Any]) -> ResolveResult:
    return ResolveResult(
        hostname=host, host=str(found[4][0]), port=port, family=found[0], proto=found[2], flags=socket.AI_NUMERICHOST
    )


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _embedded(address: Address) -> Address:
    """The IPv4 address inside an IPv6 one (mapped, 6to4, NAT64), else itself."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else address


def _inside(address: Address, network: str) -> bool:
    of = ip_network(network)
    return address.version == of.version and address in of
