"""Check the names that a server answers to.

A web page can make its visitor's browser ask a server of the visitor's machine: by a name of its own that it lets lead
there (DNS rebinding). The browser then sends that name as Host, and the page's address as Origin.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_EVERYWHERE = {"", "0.0.0.0", "::"}
ANY = "*"


class Hosts:
    """Hold the names and addresses by which a server may be asked.

    Args:
        host: the address that it listens at. At this machine's own it answers to loopback's names; everywhere, to any
            numeric address, which no page can have for a name, and to this machine's name.
        more: other names that lead to it; `ANY` is all.
    """

    def __init__(self, host: str = "127.0.0.1", more: Iterable[str] = ()) -> None:
        self._everywhere = host in _EVERYWHERE
        self._any = ANY in more
        self._names = {_bare(name) for name in (host, *more)}
        if self._everywhere:
            self._names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
        if self._everywhere or self._names & _LOOPBACK:
            self._names |= _LOOPBACK

    def allow(self, header: str | None) -> bool:
        """Return whether a request with this Host is answered; None is one without, as no browser sends it."""
        if header is None or self._any:
            return True
        name = _bare(header)
        return name in self._names or (self._everywhere and _is_address(name))

    def allow_origin(self, header: str | None) -> bool:
        """Return whether a request with this Origin is answered; None is a request that no other page has made."""
        return header is None or self.allow(header.partition("://")[2] or "null")


def _bare(header):
    """Return the name in "Name:8501", "name." or "[::1]:8501"; what is none of these as it is, which no name equals."""
    name = header.strip().lower()
    found = re.fullmatch(r"\[(?P<six>[^][]*)](:\d*)?|(?P<name>[^][:@]*)(:\d*)?", name)
    return name if found is None else (found["six"] or found["name"] or "").rstrip(".")


def _is_address(name):
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
