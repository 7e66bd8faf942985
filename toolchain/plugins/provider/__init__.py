"""What this project's plugins share: the protocol between the Pulumi engine and a provider."""
