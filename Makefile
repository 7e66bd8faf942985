MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
T := python3 -m toolchain
STACK ?= local
export STACK
# Pulumi's SDKs are large: compiled at each start they take longer than all the rest.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: help new setup up down purge preview kept place backend rebuild outputs logs roster link graduate env ci touched publish pin test test-vm lint locks outdated bench

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1|\2/p' Makefile | awk -F'|' '{printf "make %-9s %s\n", $$1, $$2}'
new: ## a stack file of your own, to edit (STACK=class FROM=aws)
	@$(T) new --from "$(FROM)"
setup: ## set this machine and the stack up, start nothing
	@$(T) setup
up: ## set up what is missing and start the hub (ACCEPT_EMPTY=homes)
	@$(T) up --accept-empty "$(ACCEPT_EMPTY)" $(if $(TAKE_OVER),--take-over)
down: ## stop everything, keep all data
	@$(T) down
purge: ## delete everything, the data too (YES=1: don't ask)
	@$(T) purge $(if $(YES),--yes)
preview: ## what `make up` would change, and lose (DIFF=1 ALONE=1 REPLACE_OK=a)
	@$(T) preview $(if $(DIFF),--diff) $(if $(ALONE),--alone) --approve "$(REPLACE_OK)" \
		--description "$(DESCRIPTION)" --out "$(REPORT)"
kept: ## what holds data, and how to adopt or delete it
	@$(T) kept
place: ## take the first of site.places that has room
	@$(T) place
backend: ## keep the state where colleagues and CI reach it (URL=s3://bucket)
	@$(T) backend --url "$(URL)"
rebuild: ## a new VM from a new image, on the same data
	@$(T) rebuild
outputs: ## all outputs as one JSON document, passwords included
	@$(T) outputs
logs: ## what hub, proxy and guard say (WHAT=hub FOLLOW=1)
	@$(T) logs --what "$(WHAT)" $(if $(FOLLOW),--follow)
roster: ## names and first passwords (ADD=a,b REMOVE=a RESET=a SHEET=file)
	@$(T) roster --add "$(ADD)" --remove "$(REMOVE)" --reset "$(RESET)" --sheet "$(SHEET)"
link: ## puts a repository into homes (REPO=https://… BRANCH=main FILE=a.ipynb)
	@$(T) link --repo "$(REPO)" --branch "$(or $(BRANCH),main)" --file "$(FILE)"
graduate: ## move a class to another hub, said first (FROM=class TO=facility GO=1)
	@$(T) graduate --from "$(FROM)" --to "$(TO)" $(if $(GO),--go)
env: ## lines for eval, so that plain pulumi works
	@$(T) env
ci: ## what the workflows run (WHAT=preview, up, drift, digests or pulled)
	@$(T) ci $(WHAT) --base "$(BASE)"
touched: ## stacks that a change is about, as JSON (BASE=origin/main)
	@$(T) touched --base "$(BASE)" $(if $(ALL),--all) $(if $(DEPLOYED),--deployed)
publish: ## build, scan and push an image (IMAGE=hub REGISTRY=ghcr.io/you/hubs)
	@$(T) publish --image "$(IMAGE)" --registry "$(REGISTRY)" --join "$(JOIN)" --out "$(OUT)" \
		$(if $(SCAN),--scan)
pin: ## take a published image in a stack (IMAGE=hub REFERENCE=name@sha256:…)
	@$(T) pin --image "$(IMAGE)" --reference "$(REFERENCE)"
test: ## run all tests (ARGS="tests/unit -x")
	@$(T) test $(ARGS)
test-vm: ## tests on a real machine in QEMU (over an hour without KVM)
	@$(T) test tests/vm $(ARGS)
locks: ## lock all Python packages with their hashes, from the pins that people edit
	@$(T) locks
outdated: ## what is pinned, the newest, and known advisories
	@$(T) outdated
lint: ## no secrets in tracked files, ruff, mypy in strict mode, hadolint
	@$(T) lint
bench: ## measure, into docs/benchmarks.md (WHAT=setup, hub, load, previews or dask)
	@$(T) bench --what "$(WHAT)"
