"""The stack file's model: what is accepted, and what each mistake is answered with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from components import config
from components.errors import ConfigError
from components.jupyterhub_host.args import LoginArgs, LoginKind

FIXTURES = Path(__file__).parent / "fixtures"
HAPPY = sorted(FIXTURES.glob("*.happy.*.yaml"))
ERRORS = sorted(FIXTURES.glob("*.error.*.yaml"))


@pytest.mark.parametrize("path", HAPPY, ids=lambda path: path.stem)
def test_happy(path: Path) -> None:
    assert config.read_file(path).platform.value == path.name.split(".")[0]


@pytest.mark.parametrize("path", ERRORS, ids=lambda path: path.stem)
def test_every_mistake_is_in_one_report(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.read_file(path)
    for line in path.with_suffix(".txt").read_text().splitlines():
        assert line in str(caught.value)


def test_values_arrive_typed() -> None:
    stack = config.read_file(FIXTURES / "local.happy.full.yaml")
    assert stack.hub.images[0].memory_limit == 2 * 1024**3
    assert stack.hub.images[1].memory_limit is None
    assert stack.hub.images[0].memory_guarantee == 256_000_000
    assert stack.proxy.url("hub.example.org") == "https://hub.example.org"
    assert stack.hub.login.names() == ["anna.rossi@unipd.it", "ben"]


def test_a_secret_is_never_in_a_report() -> None:
    values = {"platform": "local", "secrets": {"cookie_secret": ["hunter2"], "crypt_key": "x"}}
    with pytest.raises(ConfigError) as caught:
        config.parse(values, "here")
    assert "jupyterhub:secrets.cookie_secret: found a secret" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_address_of_another_database_is_refused_and_not_shown() -> None:
    values = {"platform": "local", "secrets": {"database_url": "mysql://hub:hunter2@db/hub"}}
    with pytest.raises(ConfigError) as caught:
        config.parse(values, "here")
    allowed = "allowed: postgresql+psycopg2://user:password@host:port/name"
    assert f"jupyterhub:secrets.database_url: found a secret; {allowed}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_roster_file_has_a_header_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "class.csv"
    file.write_text("\ufeffName,Mail\nanna,a@b\n\nben,b@b\nanna,again\n", encoding="utf-8")
    login = LoginArgs(kind=LoginKind.roster, file=file, users=["zoe"])
    assert login.names() == ["anna", "ben", "zoe"]


def test_the_command_prints_facts_as_json() -> None:
    command = [sys.executable, "-m", "components.config", "no-such-stack"]
    failed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "There is no stacks/Pulumi.no-such-stack.yaml" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_facts_of_a_stack(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(config, "Path", lambda _: FIXTURES)
    monkeypatch.setattr(config, "read_file", lambda *_: config_of("local.happy.full.yaml"))
    assert config.main(["x"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["ports"] == {"http": 80, "https": 443, "api": 8099}
    assert facts["limited"] == {}


def test_facts_of_a_cluster_that_is_one_of_several() -> None:
    stack = config_of("kubernetes.happy.minimal.yaml", cluster={"context": "school"})
    assert config.facts(stack)["context"] == "school"


def test_facts_of_names_and_quotas() -> None:
    stack = config_of(
        "host.happy.minimal.yaml",
        hub={"login": {"users": ["anna"]}, "files": {"disk_quota": "10G"}},
        proxy={"tls": {"kind": "acme", "email": "a@b", "domains": ["hub.example.org"]}},
    )
    facts = config.facts(stack)
    assert facts["limited"] == {"homes": "/srv/data/homes", "shared": "/srv/data/shared"}
    assert (facts["names"], facts["address"]) == (["hub.example.org"], "192.0.2.9")
    assert facts["asks_lets_encrypt"]
    tried = {"kind": "acme", "email": "a@b", "staging": True}
    stack = config_of("aws.happy.minimal.yaml", proxy={"tls": tried})
    assert (config.facts(stack)["names"], config.facts(stack)["limited"]) == ([], {})
    assert not config.facts(stack)["asks_lets_encrypt"]


def config_of(name: str, **sections: object) -> config.StackConfig:
    """The config in a fixture, with other sections."""
    return config.parse(
        {
            key.removeprefix("jupyterhub:"): config._decided(value)
            for key, value in config.yaml.safe_load((FIXTURES / name).read_text())["config"].items()
            if key.startswith("jupyterhub:")
        }
        | sections,
        name,
    )
