"""What makes a machine ready: Python packages, Pulumi, Docker's engine, base images."""
