"""Settings of every Jupyter server from this image."""

c = get_config()  # noqa: F821

c.ServerApp.open_browser = False
c.FileContentsManager.delete_to_trash = False  # a hidden trash fills homes
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash", "-l"]}
# Extensions that a class doesn't need; each costs time at the start of every server.
c.ServerApp.jpserver_extensions = {"jupyter_lsp": False}
