"""Tests on a real machine, booted in QEMU: `make test-vm`."""
