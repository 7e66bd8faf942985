"""What components run on, as values: a Docker engine here or behind ssh."""
