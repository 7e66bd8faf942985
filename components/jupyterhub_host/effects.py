"""What a change does to a running hub, in the words that several fields share."""

HUB_REPLACED = "replaces the hub container: some seconds without new logins; servers go on"
NEXT_START = "replaces the hub container; running servers get it when their user restarts"
