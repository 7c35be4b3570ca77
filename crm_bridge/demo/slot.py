"""A slot: a folder inside the root and ports that one Asterisk instance has to itself, so labs run side by side."""

import fcntl
import os
import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from crm_bridge.demo.asterisk_root import RootUnavailable

SLOTS = 20
FIRST_PORT = 11000
"""Below Linux's ephemeral range (32768-60999), so that no outgoing connection takes a slot's port meanwhile."""
PORTS_A_SLOT = 1000
LOOPBACKS = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


@dataclass(frozen=True)
class Slot:
    """`inside` is the slot's folder as Asterisk sees it, `folder` as we do; `lock` is held as long as it is ours."""

    number: int
    inside: Path
    folder: Path
    lock: int

    @property
    def sip_port(self) -> int:
        """UDP."""
        return FIRST_PORT + self.number * PORTS_A_SLOT

    @property
    def ami_port(self) -> int:
        """TCP."""
        return self.sip_port + 1

    @property
    def http_port(self) -> int:
        """TCP; for ARI where an instance turns it on."""
        return self.sip_port + 2

    @property
    def rtp_ports(self) -> tuple[int, int]:
        """First and last UDP port of the RTP range: 490 legs, two ports each."""
        return self.sip_port + 10, self.sip_port + 989

    def release(self) -> None:
        """Remove the folder and let another instance have the slot."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.lock)


def take_slot(root: Path) -> Slot:
    """The first free slot of that root, its folder empty. A slot whose owner died is free again, by its lock.

    Raises RootUnavailable if all are in use.
    """
    for number in range(SLOTS):
        inside = Path(f"/srv/slot-{number:02}")
        folder = root / inside.relative_to("/")
        lock = os.open(folder.with_suffix(".lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        slot = Slot(number, inside, folder, lock)
        if _free(slot):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            return slot
        os.close(lock)
    raise RootUnavailable(
        f"All {SLOTS} slots for Asterisk instances are in use, or their ports are (from {FIRST_PORT})."
    )


def _free(slot: Slot) -> bool:
    """Whether the slot's SIP, AMI and HTTP ports can be bound (something outside the lab may use one)."""
    wanted = [(socket.SOCK_DGRAM, address, slot.sip_port) for address in LOOPBACKS]
    wanted += [(socket.SOCK_STREAM, LOOPBACKS[0], port) for port in (slot.ami_port, slot.http_port)]
    for kind, address, port in wanted:
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:  # as Asterisk does: a connection in TIME_WAIT is no obstacle
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True
