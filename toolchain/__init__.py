"""What `make` calls: sets a machine up, and runs and mends stacks. Standard library only."""
