"""A stack: its file, state, secrets and recovery, and the ways into its machine or cluster."""
