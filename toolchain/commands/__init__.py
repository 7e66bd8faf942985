"""One file per `make` command, named as typed. Nobody imports a command."""
