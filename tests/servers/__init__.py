"""Real servers that tests talk to, built or fetched once into the cache, on loopback."""
