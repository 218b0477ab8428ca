"""What `bench/run` is made of: the servers it runs and the report it writes."""
