"""What of the Pulumi engine's output a person gets to see."""

from __future__ import annotations

from toolchain.stacks.progress import readable

PRINTED = """\
warning: using pulumi-language-python from $PATH at /x/pulumi-language-python
Updating (local):
 +  pulumi:pulumi:Stack jupyterhub-local creating (0s)
 +  docker:index:Image image-hub creating (0s)
 +  docker:index:Image image-hub creating (0s) pulumi-jupyterhub/hub:ec5b: step 1/15 ARG BASE
 +  docker:index:Image image-hub creating (3s) pulumi-jupyterhub/hub:ec5b: step 2/15 FROM x
@ updating....
 +  docker:index:Image image-hub created (34s) pulumi-jupyterhub/hub:ec5b: step 2/15 FROM x
 +  docker:index:Container hub creating (0s)
 +  docker:index:Container hub **creating failed** error: port 8000 is taken
Diagnostics:
  pulumi:pulumi:Stack (jupyterhub-local):
    warning: using pulumi-resource-docker from $PATH at /x/pulumi-resource-docker
  docker:index:Container (hub):
    error: port 8000 is taken
Resources:
    + 3 created
Duration: 1m11s
"""


def test_noise_is_left_out_and_what_failed_is_told() -> None:
    shown = list(readable(PRINTED.splitlines(keepends=True)))
    assert shown == [
        "  … Image image-hub: step 1 of 15",
        "  … Image image-hub: step 2 of 15",
        "  ✓ Image image-hub: created (34s)",
        "  ✗ Container hub: creating failed",
        "      error: port 8000 is taken",
        "  Resources:",
        "      + 3 created",
    ]


def test_an_error_of_the_engine_itself_is_shown_whole() -> None:
    printed = "Updating (local):\nerror: 2 errors occurred:\n\t* writing: no space left\n\t* x\n\n"
    assert list(readable(printed.splitlines(keepends=True))) == [
        "  error: 2 errors occurred:",
        "  \t* writing: no space left",
        "  \t* x",
    ]


def test_what_a_program_tells_is_shown_once() -> None:
    lines = [
        " +  pulumi:pulumi:Stack s creating (3s) info: waiting for ssh on 192.0.2.1: refused",
        "    pulumi:pulumi:Stack s running info: 192.0.2.1 is ready",
        "Diagnostics:",
        "    info: 192.0.2.1 is ready",
    ]
    assert [line.strip() for line in readable(lines)] == [
        "… waiting for ssh on 192.0.2.1: refused",
        "… 192.0.2.1 is ready",
    ]


def test_what_stays_is_not_called_deleted() -> None:
    lines = [
        " -  docker:index:Container hub deleted (0.1s)",
        " -  docker:index:Image image-hub deleted (0.01s)",
        " -  docker:index:RemoteImage image-traefik deleted (0s)",
        " -  docker:index:Volume homes deleted (0s)[retain]",
        " -  docker:index:Volume shared deleted[retain]",
        " -  docker:index:Volume routes deleted (0s)",
        " +- docker:index:Volume homes replaced (0s)[retain]",
    ]
    assert [line.strip() for line in readable(lines)] == [
        "✓ Container hub: deleted (0.1s)",
        "✓ Image image-hub: left as it is",
        "✓ RemoteImage image-traefik: left as it is",
        "✓ Volume homes: left as it is",
        "✓ Volume shared: left as it is",
        "✓ Volume routes: deleted (0s)",
        "✓ Volume homes: replaced (0s)",
    ]
