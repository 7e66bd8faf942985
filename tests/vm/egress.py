"""How this computer reaches its package mirror, for a machine that goes the same way.

Everything is read when an image is made and goes into that image only, so that neither mirrors nor
proxies nor certificates of a site are in the repository. Passwords that apt keeps in auth.conf
are left where they are.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

RELEASE = "bookworm"
HOST = "10.0.2.2"  # what QEMU's user network calls the computer that it runs on
BUNDLE = "etc/ssl/certs/ca-certificates.crt"
_OWN_CERTIFICATES = Path("/usr/local/share/ca-certificates")
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
# How apt downloads; other settings are this computer's own, like programs it calls.
_DOWNLOADS = re.compile(r"Acquire::(https?::(?!.*(Detect|File|Cert|Key))|Check-|Retries|Force)")
_LOOPBACK = re.compile(r"(?<=[/@])(localhost|127\.0\.0\.1|\[::1\])(?=[:/\"])")


def mirrors() -> list[str]:
    """The mirrors of Debian as lines for sources.list; none where debootstrap's own has to do."""
    release = platform.freedesktop_os_release()
    if release.get("ID") != "debian" or not shutil.which("apt-get"):
        return []
    # apt says what its sources mean, in whichever format they are written.
    form = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"
    listed = _output("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    here = release.get("VERSION_CODENAME", RELEASE)
    suites = {here + end: RELEASE + end for end in ("", "-updates", "-security")}
    found = []
    for line in listed.splitlines():
        address, suite, component, origin = line.split(" ", 3)
        # Before the first `apt-get update` the origin isn't known and stands there as asked.
        is_debian = origin in ("Debian", "$(ORIGIN)") and suite in suites
        if is_debian and component == "main" and address.startswith("http"):
            found.append(f"deb {address} {suites[suite]} main")
    return found


def files(inside: bool) -> dict[str, bytes]:
    """Path and content of what a root file system needs, to be used here or inside a machine."""
    proxies = _proxies()
    texts = {
        "etc/apt/apt.conf.d/90site": _apt_settings(proxies),
        "etc/environment": "".join(f"{n}={v}\n{n.upper()}={v}\n" for n, v in proxies.items()),
        "etc/systemd/system.conf.d/90-site.conf": _service_settings(proxies),
    }
    if sources := mirrors():
        texts["etc/apt/sources.list"] = "".join(f"{line}\n" for line in sources)
    if inside:
        texts = {path: _LOOPBACK.sub(HOST, text) for path, text in texts.items()}
    return {path: text.encode() for path, text in texts.items()} | _certificates()


def _proxies() -> dict[str, str]:
    found = {name: os.environ.get(name) or os.environ.get(name.upper()) for name in _PROXIES}
    return {name: value for name, value in found.items() if value}


def _apt_settings(proxies: dict[str, str]) -> str:
    """Proxies of the environment, which a service's apt doesn't see, then apt's own settings."""
    kinds = [(name.removesuffix("_proxy"), value) for name, value in proxies.items()]
    lines = [f'Acquire::{kind}::Proxy "{value}";' for kind, value in kinds if kind != "no"]
    if shutil.which("apt-config"):
        lines += filter(_DOWNLOADS.match, _output("apt-config", "dump").splitlines())
    return "".join(f"{line}\n" for line in lines)


def _service_settings(proxies: dict[str, str]) -> str:
    """Services, cloud-init and Docker among them, don't read /etc/environment."""
    words = " ".join(f'"{n}={v}" "{n.upper()}={v}"' for n, v in proxies.items())
    return f"[Manager]\nDefaultEnvironment={words}\n"


def _certificates() -> dict[str, bytes]:
    """Authorities of this site, and a bundle until ca-certificates has made the machine's own."""
    own = _OWN_CERTIFICATES.rglob("*.crt")
    found = {str(path).lstrip("/"): path.read_bytes() for path in sorted(own)}
    bundles = [Path(os.environ[name]) for name in _CA_VARIABLES if os.environ.get(name)]
    common = Path("/", BUNDLE)
    for bundle in bundles:
        if bundle.is_file() and bundle.resolve() != common:
            found[f"{str(_OWN_CERTIFICATES).lstrip('/')}/site-bundle.crt"] = bundle.read_bytes()
            break
    if common.exists():
        found[BUNDLE] = common.read_bytes()
    return found


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
