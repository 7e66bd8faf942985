MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
T := python3 -m toolchain
STACK ?= local
export STACK
.PHONY: help setup up down purge preview outputs logs roster env test lint bench

help: ## this list
	@sed -nE 's/^([a-z]+):.*## (.*)/\1|\2/p' Makefile | awk -F'|' '{printf "make %-9s %s\n", $$1, $$2}'
setup: ## set this machine and the stack up, start nothing
	@$(T) setup
up: ## set up what is missing and start the hub (ACCEPT_EMPTY=homes)
	@$(T) up --accept-empty "$(ACCEPT_EMPTY)" $(if $(TAKE_OVER),--take-over)
down: ## stop everything, keep all data
	@$(T) down
purge: ## delete everything, the data too (YES=1: don't ask)
	@$(T) purge $(if $(YES),--yes)
preview: ## show what `make up` would change
	@$(T) preview
outputs: ## all outputs as one JSON document, passwords included
	@$(T) outputs
logs: ## what hub, proxy and guard say (WHAT=hub FOLLOW=1)
	@$(T) logs --what "$(WHAT)" $(if $(FOLLOW),--follow)
roster: ## names and first passwords (ADD=a,b REMOVE=a RESET=a)
	@$(T) roster --add "$(ADD)" --remove "$(REMOVE)" --reset "$(RESET)"
env: ## lines for eval, so that plain pulumi works
	@$(T) env
test: ## run all tests (ARGS="tests/unit -x")
	@$(T) test $(ARGS)
lint: ## ruff, and mypy in strict mode
	@$(T) lint
bench: ## measure spawn times and memory
	@$(T) bench
