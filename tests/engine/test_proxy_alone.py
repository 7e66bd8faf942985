"""TraefikProxy in a program of one's own, in front of somebody's container, without any hub."""

from __future__ import annotations

from pathlib import Path

import requests

from tests.checkout import ENGINE, Program
from tests.client import eventually

PROGRAM = """
import pulumi
from components import DockerHost, DockerHostArgs, ImageStore, RouteArgs
from components import TraefikProxy, TraefikProxyArgs

host = DockerHost.connect("alone", DockerHostArgs())
# An address that another resource makes: known only while the engine runs.
url = pulumi.Output.from_input("http://127.0.0.1:8395")
args = TraefikProxyArgs(http_port=8394, api_port=8393, routes=[RouteArgs(name="own", url=url)])
proxy = TraefikProxy("edge", args, host, ImageStore(host))
pulumi.export("url", proxy.url)
"""


def test_in_front_of_any_container(tmp_path: Path) -> None:
    server = ENGINE.containers.run(
        "debian:bookworm-slim",
        ["perl", "-MIO::Socket", "-e", _SERVER],
        detach=True,
        network_mode="host",
    )
    try:
        with Program(tmp_path, "alone", PROGRAM).up():
            url = "http://127.0.0.1:8394/any"
            assert eventually("the route", lambda: _text(url) == "hello", 20)
    finally:
        server.remove(force=True)


_SERVER = r"""
my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1:8395", Listen => 5, ReuseAddr => 1) or die;
while (my $c = $s->accept) { while (<$c>) { last if /^\r?$/ }
print $c "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"; close $c }
"""


def _text(url: str) -> str:
    return requests.get(url, timeout=5).text
