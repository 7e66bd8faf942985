"""The Pulumi program: reads the stack's config, composes the stack, exports its outputs."""

from importlib import import_module

import pulumi

from components.config import read_stack

config = read_stack()
compose = import_module(f"stacks.{config.platform.family}").compose
for name, value in compose(pulumi.get_stack(), config).items():
    pulumi.export(name, value)
