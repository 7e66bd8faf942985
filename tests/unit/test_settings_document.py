"""What the component writes is what the hub's code reads, word for word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hubkit import settings as read
from pydantic import ValidationError

from components import config
from components.errors import ConfigError
from components.jupyterhub_host import settings as written
from components.jupyterhub_host.files import GroupArgs
from components.jupyterhub_host.login import LoginArgs

FIXTURES = Path(__file__).parent / "fixtures"


def document(name: str, on_docker: bool = True) -> dict[str, object]:
    args = config.read_file(FIXTURES / name).hub
    engine = written.engine_document(
        args,
        network=written.network_document(args, "users", "jh-1", ["jh-2"]),
        proxy={"api_url": "http://127.0.0.1:8099", "entry_point": "web"},
        homes="homes",
        shared="shared",
    )
    return written.settings_document(
        args,
        deployment="jupyterhub-test",
        public_url="http://x:1",
        references=[f"image:{i}" for i, _ in enumerate(args.images)],
        environment={"HTTP_PROXY": "http://proxy"},
        engine=engine if on_docker else None,
    )


@pytest.mark.parametrize("on_docker", [True, False])
@pytest.mark.parametrize("name", ["minimal", "full", "course", "provider"])
def test_the_hub_reads_what_the_component_writes(name: str, on_docker: bool) -> None:
    made = document(f"local.happy.{name}.yaml", on_docker)
    assert read.Settings.model_validate(made).model_dump(mode="json") == made


def test_a_provider_s_group_opens_a_folder_only_where_it_is_mapped() -> None:
    def groups(name: str) -> dict[str, list[str]]:
        made: Any = document(name)
        return {group: told["hub_groups"] for group, told in made["files"]["groups"].items()}

    # Anybody may make a group there that is called as one here.
    assert groups("local.happy.provider.yaml") == {"muons": ["atlas/muons"], "pions": []}
    admin_page: Any = GroupArgs().document("muons", LoginArgs())
    assert admin_page["hub_groups"] == ["muons"]


def test_the_hub_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValidationError):
        read.Settings.model_validate(document("local.happy.minimal.yaml") | {"more": 1})


def test_secrets_have_the_same_names_on_both_sides() -> None:
    from components.jupyterhub_host.args import HubSecretsArgs

    assert set(HubSecretsArgs.model_fields) == set(read.Secrets.model_fields)


def test_root_is_no_user() -> None:
    from components import NotebookImageArgs

    with pytest.raises(ConfigError, match="greater than or equal to 1"):
        NotebookImageArgs(source={"reference": "x/y:1"}, uid=0)
