"""What the Pulumi engine runs where the vendor's programs can't be had, and a cloud for tests."""
