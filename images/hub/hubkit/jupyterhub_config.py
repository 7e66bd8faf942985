"""JupyterHub's configuration file; all of it is in `configure`."""

from hubkit.on_docker import configure
from hubkit.settings import load_secrets, load_settings

configure(get_config(), load_settings(), load_secrets())  # type: ignore[name-defined]  # noqa: F821
