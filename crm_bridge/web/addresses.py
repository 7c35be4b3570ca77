"""Where a request comes from: the peer, or whom a trusted proxy says it speaks for."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from aiohttp import web

from crm_bridge.web import keys


def address_of(request: web.Request) -> str | None:
    """The nearest address that is none of `server.trusted_proxies`; None: nobody can say (a Unix socket, a garbled header).

    Only what a trusted proxy added to X-Forwarded-For counts, so it is read from its end: the rest is what a client likes to say.
    """
    hops = [hop.strip() for line in request.headers.getall("X-Forwarded-For", []) for hop in line.split(",")]
    named = request.remote
    while True:
        address = _parsed(named)
        if address is None or not _trusted(request, address) or not hops:
            return str(address) if address else None
        named = hops.pop()


def _trusted(request: web.Request, address: IPv4Address | IPv6Address) -> bool:
    return any(address in network for network in request.app[keys.SETTINGS].server.trusted_proxies)


def _parsed(text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text or "")
    except ValueError:
        return None
