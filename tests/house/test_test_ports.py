"""Servers of the tests listen where nobody else does."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from support.loopback_ports import Ports, own_ports

TESTS = Path(__file__).parents[1]
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def test_ports_given_out_are_free_and_the_system_does_not_give_them() -> None:
    taken = {own_ports().take() for _ in range(100)}
    assert len(taken) == 100
    if RANGE.exists():
        lowest, highest = map(int, RANGE.read_text().split())
        assert all(not lowest <= port <= highest for port in taken) or lowest < 12_000
    with socket.create_server(("127.0.0.1", min(taken))) as server:
        assert server.getsockname()[1] == min(taken)


def test_two_processes_have_no_port_in_common() -> None:
    mine = Ports()
    program = "from support.loopback_ports import Ports; ports = Ports(); print(*(ports.take() for _ in range(100)))"
    told = subprocess.run([sys.executable, "-c", program], cwd=TESTS, capture_output=True, text=True, check=True).stdout
    assert {mine.take() for _ in range(100)}.isdisjoint(map(int, told.split()))
    mine.close()
